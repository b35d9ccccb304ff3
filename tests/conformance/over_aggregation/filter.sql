-- OVER: an aggregate with FILTER.
CREATE TABLE Orders (order_id BIGINT, customer STRING, product STRING, amount INT, price DECIMAL(10, 2), order_time TIMESTAMP(3),
  WATERMARK FOR order_time AS order_time - INTERVAL '5' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/orders.json', 'format' = 'json');
SELECT order_id, SUM(amount) FILTER (WHERE customer = 'ann') OVER (PARTITION BY product ORDER BY order_time ROWS BETWEEN 2 PRECEDING AND CURRENT ROW) AS s FROM Orders WHERE order_id <> 9;
