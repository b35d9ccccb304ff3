-- WITH: one named query used twice.
CREATE TABLE Orders (order_id BIGINT, customer STRING, product STRING, amount INT, price DECIMAL(10, 2), order_time TIMESTAMP(3),
  WATERMARK FOR order_time AS order_time - INTERVAL '5' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/orders.json', 'format' = 'json');
WITH o AS (SELECT product, COUNT(*) AS n FROM Orders GROUP BY product) SELECT a.product, a.n, b.n AS m FROM o AS a JOIN o AS b ON a.n = b.n;
