-- Joins: UNNEST of a multiset in LATERAL.
CREATE TABLE Orders (order_id BIGINT, customer STRING, product STRING, amount INT, price DECIMAL(10, 2), order_time TIMESTAMP(3),
  WATERMARK FOR order_time AS order_time - INTERVAL '5' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/orders.json', 'format' = 'json');
SELECT customer, t.p FROM (SELECT customer, COLLECT(product) AS ps FROM Orders GROUP BY customer) AS o, LATERAL (SELECT p FROM UNNEST(o.ps) AS u (p) WHERE p <> 'tea') AS t;
