-- Sub-queries: VALUES with a sub-query, joined and filtered.
CREATE TABLE Orders (order_id BIGINT, customer STRING, product STRING, amount INT, price DECIMAL(10, 2), order_time TIMESTAMP(3),
  WATERMARK FOR order_time AS order_time - INTERVAL '5' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/orders.json', 'format' = 'json');
CREATE TABLE Customers (name STRING, city STRING, credit INT, since DATE)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/customers.json', 'format' = 'json');
SELECT t.a, c.name FROM (VALUES (1), ((SELECT MAX(credit) FROM Customers)), ((SELECT MIN(amount) FROM Orders))) AS t(a)
LEFT JOIN Customers AS c ON c.credit = t.a WHERE t.a > 0;
