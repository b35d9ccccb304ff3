-- Joins: LATERAL with a correlated top-N.
CREATE TABLE Customers (name STRING, city STRING, credit INT, since DATE)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/customers.json', 'format' = 'json');
CREATE TABLE Orders (order_id BIGINT, customer STRING, product STRING, amount INT, price DECIMAL(10, 2), order_time TIMESTAMP(3),
  WATERMARK FOR order_time AS order_time - INTERVAL '5' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/orders.json', 'format' = 'json');
SELECT c.name, t.order_id FROM (SELECT DISTINCT name FROM Customers WHERE name IS NOT NULL) AS c, LATERAL (SELECT order_id FROM Orders AS o WHERE o.customer = c.name AND o.order_id <> 9 ORDER BY order_id DESC LIMIT 2) AS t;
