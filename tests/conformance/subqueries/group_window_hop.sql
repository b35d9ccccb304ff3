-- Sub-queries: a value in an aggregate of a hop, NULL where there is none.
CREATE TABLE Orders (order_id BIGINT, customer STRING, product STRING, amount INT, price DECIMAL(10, 2), order_time TIMESTAMP(3),
  WATERMARK FOR order_time AS order_time - INTERVAL '5' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/orders.json', 'format' = 'json');
CREATE TABLE Customers (name STRING, city STRING, credit INT, since DATE)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/customers.json', 'format' = 'json');
SELECT HOP_START(order_time, INTERVAL '5' SECOND, INTERVAL '10' SECOND) AS s, COUNT(*) AS n,
  MAX((SELECT credit FROM Customers WHERE name = 'nobody')) AS nothing, MIN((SELECT credit FROM Customers WHERE name = 'cid')) AS c
FROM Orders GROUP BY HOP(order_time, INTERVAL '5' SECOND, INTERVAL '10' SECOND);
