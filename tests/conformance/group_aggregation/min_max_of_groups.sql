-- Group aggregation: MIN and MAX lose their value when it is taken back.
CREATE TABLE Orders (order_id BIGINT, customer STRING, product STRING, amount INT, price DECIMAL(10, 2), order_time TIMESTAMP(3),
  WATERMARK FOR order_time AS order_time - INTERVAL '5' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/orders.json', 'format' = 'json');
SELECT MIN(s) AS lo, MAX(s) AS hi, AVG(s) AS av FROM (SELECT customer, SUM(amount) AS s FROM Orders GROUP BY customer);
