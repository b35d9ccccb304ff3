-- Joins: LEFT JOIN UNNEST of a multiset without elements.
CREATE TABLE Orders (order_id BIGINT, customer STRING, product STRING, amount INT, price DECIMAL(10, 2), order_time TIMESTAMP(3),
  WATERMARK FOR order_time AS order_time - INTERVAL '5' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/orders.json', 'format' = 'json');
SELECT customer, a FROM (SELECT customer, COLLECT(amount) FILTER (WHERE amount > 2) AS m FROM Orders GROUP BY customer) LEFT JOIN UNNEST(m) AS t (a) ON TRUE;
