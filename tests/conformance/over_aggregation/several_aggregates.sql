-- OVER: several aggregates over one window.
CREATE TABLE Orders (order_id BIGINT, customer STRING, product STRING, amount INT, price DECIMAL(10, 2), order_time TIMESTAMP(3),
  WATERMARK FOR order_time AS order_time - INTERVAL '5' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/orders.json', 'format' = 'json');
SELECT order_id, MIN(amount) OVER w AS lo, MAX(amount) OVER w AS hi, COUNT(amount) OVER w AS c, COUNT(*) OVER w AS n FROM Orders WINDOW w AS (PARTITION BY customer ORDER BY order_time ROWS BETWEEN 1 PRECEDING AND CURRENT ROW);
