-- Joins: of groupings, which change.
CREATE TABLE Orders (order_id BIGINT, customer STRING, product STRING, amount INT, price DECIMAL(10, 2), order_time TIMESTAMP(3),
  WATERMARK FOR order_time AS order_time - INTERVAL '5' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/orders.json', 'format' = 'json');
SELECT a.product, a.n, b.s FROM (SELECT product, COUNT(*) AS n FROM Orders GROUP BY product) AS a JOIN (SELECT product, SUM(amount) AS s FROM Orders GROUP BY product) AS b ON a.product = b.product;
