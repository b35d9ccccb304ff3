-- Sub-queries: the optional side of a right join is correlated.
CREATE TABLE Orders (order_id BIGINT, customer STRING, product STRING, amount INT, price DECIMAL(10, 2), order_time TIMESTAMP(3),
  WATERMARK FOR order_time AS order_time - INTERVAL '5' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/orders.json', 'format' = 'json');
CREATE TABLE Customers (name STRING, city STRING, credit INT, since DATE)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/customers.json', 'format' = 'json');
CREATE TABLE Shipments (order_id BIGINT, ship_time TIMESTAMP(3),
  WATERMARK FOR ship_time AS ship_time - INTERVAL '5' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/shipments.json', 'format' = 'json');
SELECT name, (SELECT MAX(s.order_id) FROM (SELECT * FROM Orders WHERE customer = c.name) AS o RIGHT JOIN Shipments AS s
  ON o.order_id = s.order_id) AS n FROM Customers AS c;
