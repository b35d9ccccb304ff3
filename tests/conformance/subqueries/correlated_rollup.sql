-- Sub-queries: correlated over ROLLUP.
CREATE TABLE Orders (order_id BIGINT, customer STRING, product STRING, amount INT, price DECIMAL(10, 2), order_time TIMESTAMP(3),
  WATERMARK FOR order_time AS order_time - INTERVAL '5' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/orders.json', 'format' = 'json');
CREATE TABLE Customers (name STRING, city STRING, credit INT, since DATE)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/customers.json', 'format' = 'json');
SELECT order_id, (SELECT MAX(n) FROM (SELECT city, COUNT(*) AS n FROM Customers AS c WHERE c.name = o.customer GROUP BY ROLLUP (city))) AS n FROM Orders AS o;
