-- OVER: a running sum over a grouping; in Flink only over a bounded input.
-- flink: batch
CREATE TABLE Orders (order_id BIGINT, customer STRING, product STRING, amount INT, price DECIMAL(10, 2), order_time TIMESTAMP(3),
  WATERMARK FOR order_time AS order_time - INTERVAL '5' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/orders.json', 'format' = 'json');
SELECT product, s, SUM(s) OVER (ORDER BY product) AS running_sum FROM (SELECT product, SUM(amount) AS s FROM Orders WHERE product IS NOT NULL GROUP BY product);
