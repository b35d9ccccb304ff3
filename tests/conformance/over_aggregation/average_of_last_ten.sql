-- OVER: rows ordered by another column, the last two; in Flink only over a bounded input.
-- flink: batch
CREATE TABLE Orders (order_id BIGINT, customer STRING, product STRING, amount INT, price DECIMAL(10, 2), order_time TIMESTAMP(3),
  WATERMARK FOR order_time AS order_time - INTERVAL '5' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/orders.json', 'format' = 'json');
SELECT order_id, AVG(amount) OVER (PARTITION BY product ORDER BY price, order_id ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) AS a FROM Orders WHERE order_id <> 9;
