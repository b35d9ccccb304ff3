-- SELECT: a query in FROM, with a filter on its computed column.
CREATE TABLE Orders (order_id BIGINT, customer STRING, product STRING, amount INT, price DECIMAL(10, 2), order_time TIMESTAMP(3),
  WATERMARK FOR order_time AS order_time - INTERVAL '5' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/orders.json', 'format' = 'json');
SELECT total FROM (SELECT amount * price AS total, customer FROM Orders WHERE amount > 1) WHERE total > 10;
