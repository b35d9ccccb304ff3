-- OVER: with rows that are yet to come; in Flink only over a bounded input.
-- flink: batch
CREATE TABLE Orders (order_id BIGINT, customer STRING, product STRING, amount INT, price DECIMAL(10, 2), order_time TIMESTAMP(3),
  WATERMARK FOR order_time AS order_time - INTERVAL '5' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/orders.json', 'format' = 'json');
SELECT order_id, SUM(amount) OVER (ORDER BY order_time ROWS BETWEEN CURRENT ROW AND 1 FOLLOWING) AS s FROM Orders;
