-- Joins: LEFT JOIN LATERAL with an aggregate of no rows.
CREATE TABLE Customers (name STRING, city STRING, credit INT, since DATE)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/customers.json', 'format' = 'json');
CREATE TABLE Orders (order_id BIGINT, customer STRING, product STRING, amount INT, price DECIMAL(10, 2), order_time TIMESTAMP(3),
  WATERMARK FOR order_time AS order_time - INTERVAL '5' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/orders.json', 'format' = 'json');
SELECT c.name, t.n, t.total FROM Customers AS c LEFT JOIN LATERAL (SELECT COUNT(*) AS n, SUM(amount) AS total FROM Orders AS o WHERE o.customer = c.name) AS t ON TRUE;
