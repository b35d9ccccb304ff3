-- OVER: PERCENT_RANK and CUME_DIST; in Flink only over a bounded input.
-- flink: batch
CREATE TABLE Orders (order_id BIGINT, customer STRING, product STRING, amount INT, price DECIMAL(10, 2), order_time TIMESTAMP(3),
  WATERMARK FOR order_time AS order_time - INTERVAL '5' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/orders.json', 'format' = 'json');
SELECT order_id, PERCENT_RANK() OVER (PARTITION BY product ORDER BY order_time) AS p, CUME_DIST() OVER (PARTITION BY product ORDER BY order_time) AS c FROM Orders WHERE order_id <> 9;
