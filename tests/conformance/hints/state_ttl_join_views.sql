-- Hints: STATE_TTL names a view and a sub-query; the view has a hint of its own.
CREATE TABLE Orders (order_id BIGINT, customer STRING, product STRING, amount INT, price DECIMAL(10, 2), order_time TIMESTAMP(3),
  WATERMARK FOR order_time AS order_time - INTERVAL '5' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/orders.json', 'format' = 'json');
CREATE TABLE Shipments (order_id BIGINT, ship_time TIMESTAMP(3),
  WATERMARK FOR ship_time AS ship_time - INTERVAL '5' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/shipments.json', 'format' = 'json');
CREATE TABLE Customers (name STRING, city STRING, credit INT, since DATE)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/customers.json', 'format' = 'json');
CREATE VIEW Shipped AS SELECT /*+ STATE_TTL('o' = '1d', 's' = '12h') */ o.order_id, o.customer, s.ship_time
FROM Orders AS o JOIN Shipments AS s ON o.order_id = s.order_id;
SELECT /*+ STATE_TTL('Shipped' = '2d', 'q' = '3d') */ Shipped.order_id, q.city
FROM Shipped JOIN (SELECT name, city FROM Customers WHERE credit > 0) AS q ON Shipped.customer = q.name;
