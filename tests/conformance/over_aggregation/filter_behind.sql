-- OVER: a filter on its result.
CREATE TABLE Orders (order_id BIGINT, customer STRING, product STRING, amount INT, price DECIMAL(10, 2), order_time TIMESTAMP(3),
  WATERMARK FOR order_time AS order_time - INTERVAL '5' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/orders.json', 'format' = 'json');
SELECT order_id, n FROM (SELECT order_id, COUNT(*) OVER (PARTITION BY product ORDER BY order_time) AS n FROM Orders) WHERE n > 2;
