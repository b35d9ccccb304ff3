-- Settings: table.exec.state.ttl holds for joins, groups and top-1; here nothing is old enough to matter.
CREATE TABLE Orders (order_id BIGINT, customer STRING, product STRING, amount INT, price DECIMAL(10, 2), order_time TIMESTAMP(3),
  WATERMARK FOR order_time AS order_time - INTERVAL '5' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/orders.json', 'format' = 'json');
CREATE TABLE Shipments (order_id BIGINT, ship_time TIMESTAMP(3),
  WATERMARK FOR ship_time AS ship_time - INTERVAL '5' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/shipments.json', 'format' = 'json');
CREATE TABLE Customers (name STRING, city STRING, credit INT, since DATE)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/customers.json', 'format' = 'json');
SET 'table.exec.state.ttl' = '1 d';
SELECT c.city, COUNT(*) AS n FROM (SELECT * FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY order_id ORDER BY amount DESC) AS rn FROM Orders) WHERE rn = 1) AS o
JOIN Customers AS c ON c.name = o.customer LEFT JOIN Shipments AS s ON s.order_id = o.order_id GROUP BY c.city;
