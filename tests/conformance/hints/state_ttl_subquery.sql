-- Hints: STATE_TTL may name a table of a sub-query, which changes nothing.
CREATE TABLE Orders (order_id BIGINT, customer STRING, product STRING, amount INT, price DECIMAL(10, 2), order_time TIMESTAMP(3),
  WATERMARK FOR order_time AS order_time - INTERVAL '5' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/orders.json', 'format' = 'json');
CREATE TABLE Customers (name STRING, city STRING, credit INT, since DATE)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/customers.json', 'format' = 'json');
SELECT /*+ STATE_TTL('o' = '1d', 'Customers' = '1h') */ o.order_id FROM Orders AS o WHERE o.customer IN (SELECT name FROM Customers);
