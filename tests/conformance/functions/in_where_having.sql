-- Functions: in conditions of a grouping.
CREATE TABLE Orders (order_id BIGINT, customer STRING, product STRING, amount INT, price DECIMAL(10, 2), order_time TIMESTAMP(3),
  WATERMARK FOR order_time AS order_time - INTERVAL '5' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/orders.json', 'format' = 'json');
SELECT LEFT(product, 1) AS p, COUNT(*) AS n FROM Orders WHERE LOWER(product) LIKE '%t%' GROUP BY LEFT(product, 1) HAVING MAX(ABS(amount)) > 2;
