-- Group windows (legacy): TUMBLE in GROUP BY.
CREATE TABLE Orders (order_id BIGINT, customer STRING, product STRING, amount INT, price DECIMAL(10, 2), order_time TIMESTAMP(3),
  WATERMARK FOR order_time AS order_time - INTERVAL '5' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/orders.json', 'format' = 'json');
SELECT product, TUMBLE_START(order_time, INTERVAL '20' SECOND) AS s, TUMBLE_END(order_time, INTERVAL '20' SECOND) AS e, COUNT(*) AS n FROM Orders GROUP BY product, TUMBLE(order_time, INTERVAL '20' SECOND);
