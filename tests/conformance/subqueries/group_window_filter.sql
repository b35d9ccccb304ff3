-- Sub-queries: IN and a value in FILTER of aggregates of a group window.
CREATE TABLE Orders (order_id BIGINT, customer STRING, product STRING, amount INT, price DECIMAL(10, 2), order_time TIMESTAMP(3),
  WATERMARK FOR order_time AS order_time - INTERVAL '5' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/orders.json', 'format' = 'json');
CREATE TABLE Customers (name STRING, city STRING, credit INT, since DATE)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/customers.json', 'format' = 'json');
SELECT TUMBLE_START(order_time, INTERVAL '5' SECOND) AS s, COUNT(*) FILTER (WHERE customer IN (SELECT name FROM Customers)) AS n,
  SUM(amount) FILTER (WHERE amount > (SELECT MIN(credit) FROM Customers) - 4) AS m
FROM Orders GROUP BY TUMBLE(order_time, INTERVAL '5' SECOND);
