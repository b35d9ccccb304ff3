-- Aggregate functions: JSON_OBJECTAGG.
CREATE TABLE Orders (order_id BIGINT, customer STRING, product STRING, amount INT, price DECIMAL(10, 2), order_time TIMESTAMP(3),
  WATERMARK FOR order_time AS order_time - INTERVAL '5' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/orders.json', 'format' = 'json');
SELECT customer, JSON_OBJECTAGG(KEY CAST(order_id AS STRING) VALUE product) AS j FROM Orders WHERE customer IS NOT NULL AND order_id <> 9 GROUP BY customer;
