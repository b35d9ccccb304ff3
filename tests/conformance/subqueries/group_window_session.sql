-- Sub-queries: values in aggregates of sessions and hops.
CREATE TABLE Orders (order_id BIGINT, customer STRING, product STRING, amount INT, price DECIMAL(10, 2), order_time TIMESTAMP(3),
  WATERMARK FOR order_time AS order_time - INTERVAL '5' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/orders.json', 'format' = 'json');
CREATE TABLE Customers (name STRING, city STRING, credit INT, since DATE)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/customers.json', 'format' = 'json');
SELECT SESSION_START(order_time, INTERVAL '5' SECOND) AS s, MAX(amount + (SELECT COUNT(*) FROM Customers)) AS m
FROM Orders GROUP BY SESSION(order_time, INTERVAL '5' SECOND);
