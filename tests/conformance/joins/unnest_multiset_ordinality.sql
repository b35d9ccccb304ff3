-- Joins: UNNEST of a multiset WITH ORDINALITY, each element once.
CREATE TABLE Orders (order_id BIGINT, customer STRING, product STRING, amount INT, price DECIMAL(10, 2), order_time TIMESTAMP(3),
  WATERMARK FOR order_time AS order_time - INTERVAL '5' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/orders.json', 'format' = 'json');
SELECT product, COUNT(*) AS n, MAX(i) AS hi FROM (SELECT product, COLLECT(DISTINCT order_id) AS m FROM Orders GROUP BY product) CROSS JOIN UNNEST(m) WITH ORDINALITY AS t (o, i) GROUP BY product;
