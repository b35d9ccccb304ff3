-- Group windows (legacy): SESSION without a key.
CREATE TABLE Orders (order_id BIGINT, customer STRING, product STRING, amount INT, price DECIMAL(10, 2), order_time TIMESTAMP(3),
  WATERMARK FOR order_time AS order_time - INTERVAL '5' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/orders.json', 'format' = 'json');
SELECT SESSION_START(order_time, INTERVAL '5' SECOND) AS s, SESSION_ROWTIME(order_time, INTERVAL '5' SECOND) AS r, SUM(amount) AS a FROM Orders GROUP BY SESSION(order_time, INTERVAL '5' SECOND);
