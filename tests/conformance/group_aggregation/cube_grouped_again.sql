-- Aggregates: a CUBE, grouped again by the same columns.
CREATE TABLE Orders (order_id BIGINT, customer STRING, product STRING, amount INT, price DECIMAL(10, 2), order_time TIMESTAMP(3),
  WATERMARK FOR order_time AS order_time - INTERVAL '5' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/orders.json', 'format' = 'json');
SELECT customer, product, COUNT(*) AS n FROM (SELECT customer, product FROM Orders GROUP BY CUBE (customer, product)) GROUP BY customer, product;
