-- Sub-queries: not over UNNEST of an outer column.
CREATE TABLE Orders (order_id BIGINT, customer STRING, product STRING, amount INT, price DECIMAL(10, 2), order_time TIMESTAMP(3),
  WATERMARK FOR order_time AS order_time - INTERVAL '5' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/orders.json', 'format' = 'json');
SELECT customer FROM (SELECT customer, ARRAY_AGG(product) AS ps FROM Orders GROUP BY customer) AS o WHERE EXISTS (SELECT 1 FROM UNNEST(o.ps) AS t (p) WHERE p = 'tea');
