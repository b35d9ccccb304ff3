-- Sub-queries: a group window behind IN and a comparison with a value in WHERE.
CREATE TABLE Orders (order_id BIGINT, customer STRING, product STRING, amount INT, price DECIMAL(10, 2), order_time TIMESTAMP(3),
  WATERMARK FOR order_time AS order_time - INTERVAL '5' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/orders.json', 'format' = 'json');
CREATE TABLE Customers (name STRING, city STRING, credit INT, since DATE)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/customers.json', 'format' = 'json');
SELECT TUMBLE_START(order_time, INTERVAL '5' SECOND) AS s, TUMBLE_ROWTIME(order_time, INTERVAL '5' SECOND) AS r, COUNT(*) AS n
FROM Orders WHERE customer NOT IN (SELECT name FROM Customers WHERE name IS NOT NULL AND credit > 50) AND amount < (SELECT MAX(credit) FROM Customers)
GROUP BY TUMBLE(order_time, INTERVAL '5' SECOND);
