-- Aggregate functions: PERCENTILE with a frequency.
CREATE TABLE Orders (order_id BIGINT, customer STRING, product STRING, amount INT, price DECIMAL(10, 2), order_time TIMESTAMP(3),
  WATERMARK FOR order_time AS order_time - INTERVAL '5' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/orders.json', 'format' = 'json');
SELECT product, PERCENTILE(order_id, 0.5, 2) AS p FROM Orders WHERE product IS NOT NULL GROUP BY product;
