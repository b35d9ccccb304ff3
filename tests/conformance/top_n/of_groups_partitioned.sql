-- Top-N: over a grouping, in partitions.
CREATE TABLE Orders (order_id BIGINT, customer STRING, product STRING, amount INT, price DECIMAL(10, 2), order_time TIMESTAMP(3),
  WATERMARK FOR order_time AS order_time - INTERVAL '5' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/orders.json', 'format' = 'json');
SELECT product, customer, n FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY product ORDER BY n DESC, customer) AS rn FROM (SELECT product, customer, SUM(amount) AS n FROM Orders WHERE customer IS NOT NULL GROUP BY product, customer)) WHERE rn = 1;
