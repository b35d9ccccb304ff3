-- WITH: the second query uses the first.
CREATE TABLE Orders (order_id BIGINT, customer STRING, product STRING, amount INT, price DECIMAL(10, 2), order_time TIMESTAMP(3),
  WATERMARK FOR order_time AS order_time - INTERVAL '5' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/orders.json', 'format' = 'json');
WITH totals AS (SELECT customer, amount * price AS total FROM Orders), sums AS (SELECT customer, SUM(total) AS s FROM totals GROUP BY customer)
SELECT customer, s FROM sums WHERE s > 20;
