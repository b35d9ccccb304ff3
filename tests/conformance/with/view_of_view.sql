-- Views: a view over a view, with names of its own.
CREATE TABLE Orders (order_id BIGINT, customer STRING, product STRING, amount INT, price DECIMAL(10, 2), order_time TIMESTAMP(3),
  WATERMARK FOR order_time AS order_time - INTERVAL '5' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/orders.json', 'format' = 'json');
CREATE VIEW v1 (id, what) AS SELECT order_id, product FROM Orders;
CREATE VIEW v2 AS SELECT what, COUNT(id) AS n FROM v1 GROUP BY what;
SELECT * FROM v2 WHERE n > 2;
