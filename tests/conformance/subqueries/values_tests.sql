-- Sub-queries: EXISTS, IN and comparisons in VALUES.
CREATE TABLE Orders (order_id BIGINT, customer STRING, product STRING, amount INT, price DECIMAL(10, 2), order_time TIMESTAMP(3),
  WATERMARK FOR order_time AS order_time - INTERVAL '5' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/orders.json', 'format' = 'json');
CREATE TABLE Customers (name STRING, city STRING, credit INT, since DATE)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/customers.json', 'format' = 'json');
VALUES ('exists', EXISTS (SELECT 1 FROM Customers WHERE credit > 50)), ('in', 7 IN (SELECT credit FROM Customers)),
  ('not in', 8 NOT IN (SELECT credit FROM Customers)), ('some', 10 > SOME (SELECT amount FROM Orders));
