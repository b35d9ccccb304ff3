-- Sub-queries: values in VALUES, one of them of no row.
CREATE TABLE Orders (order_id BIGINT, customer STRING, product STRING, amount INT, price DECIMAL(10, 2), order_time TIMESTAMP(3),
  WATERMARK FOR order_time AS order_time - INTERVAL '5' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/orders.json', 'format' = 'json');
CREATE TABLE Customers (name STRING, city STRING, credit INT, since DATE)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/customers.json', 'format' = 'json');
SELECT * FROM (VALUES (1, (SELECT MAX(credit) FROM Customers)), (2, (SELECT CAST(COUNT(*) AS INT) FROM Orders)),
  (3, (SELECT credit FROM Customers WHERE name = 'nobody')), (4, 7)) AS t(a, b);
