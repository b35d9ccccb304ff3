-- Hints: the alias of a query in FROM.
CREATE TABLE Orders (order_id BIGINT, customer STRING, product STRING, amount INT, price DECIMAL(10, 2), order_time TIMESTAMP(3),
  WATERMARK FOR order_time AS order_time - INTERVAL '5' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/orders.json', 'format' = 'json');
SELECT /*+ STATE_TTL('q' = '1h') */ q.product, SUM(q.amount) AS s FROM (SELECT product, amount FROM Orders) AS q GROUP BY q.product;
