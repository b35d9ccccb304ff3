-- Set operations: INTERSECT ALL of columns of which one is not read above it.
CREATE TABLE Orders (order_id BIGINT, customer STRING, product STRING, amount INT, price DECIMAL(10, 2), order_time TIMESTAMP(3),
  WATERMARK FOR order_time AS order_time - INTERVAL '5' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/orders.json', 'format' = 'json');
CREATE TABLE Shipments (order_id BIGINT, ship_time TIMESTAMP(3),
  WATERMARK FOR ship_time AS ship_time - INTERVAL '5' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/shipments.json', 'format' = 'json');
SELECT product, COUNT(*) AS n FROM (SELECT order_id, product FROM Orders INTERSECT ALL SELECT order_id + 1, product FROM Orders) GROUP BY product;
