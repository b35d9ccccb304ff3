-- Group windows: over the time of a table behind a join with another one.
CREATE TABLE Orders (order_id BIGINT, customer STRING, product STRING, amount INT, price DECIMAL(10, 2), order_time TIMESTAMP(3),
  WATERMARK FOR order_time AS order_time - INTERVAL '5' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/orders.json', 'format' = 'json');
CREATE TABLE Customers (name STRING, city STRING, credit INT, since DATE)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/customers.json', 'format' = 'json');
SELECT TUMBLE_START(order_time, INTERVAL '5' SECOND) AS s, city, COUNT(*) AS n FROM Orders AS o JOIN Customers AS c ON o.customer = c.name GROUP BY TUMBLE(order_time, INTERVAL '5' SECOND), city;
