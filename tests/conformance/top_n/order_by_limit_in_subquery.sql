-- Top-N: ORDER BY with LIMIT in a query in FROM.
CREATE TABLE Orders (order_id BIGINT, customer STRING, product STRING, amount INT, price DECIMAL(10, 2), order_time TIMESTAMP(3),
  WATERMARK FOR order_time AS order_time - INTERVAL '5' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/orders.json', 'format' = 'json');
SELECT SUM(amount) AS s FROM (SELECT amount FROM Orders WHERE amount IS NOT NULL ORDER BY amount DESC LIMIT 3);
