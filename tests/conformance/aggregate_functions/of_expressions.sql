-- Aggregate functions: over expressions with NULLs.
CREATE TABLE Orders (order_id BIGINT, customer STRING, product STRING, amount INT, price DECIMAL(10, 2), order_time TIMESTAMP(3),
  WATERMARK FOR order_time AS order_time - INTERVAL '5' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/orders.json', 'format' = 'json');
SELECT SUM(amount + 1) AS a, MAX(CASE WHEN amount > 2 THEN price END) AS m, COUNT(NULLIF(product, 'tea')) AS c FROM Orders;
