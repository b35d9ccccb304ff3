-- Group windows (legacy): SESSION in GROUP BY.
CREATE TABLE Orders (order_id BIGINT, customer STRING, product STRING, amount INT, price DECIMAL(10, 2), order_time TIMESTAMP(3),
  WATERMARK FOR order_time AS order_time - INTERVAL '5' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/orders.json', 'format' = 'json');
SELECT customer, SESSION_START(order_time, INTERVAL '10' SECOND) AS s, SESSION_END(order_time, INTERVAL '10' SECOND) AS e, COUNT(*) AS n FROM Orders GROUP BY customer, SESSION(order_time, INTERVAL '10' SECOND);
