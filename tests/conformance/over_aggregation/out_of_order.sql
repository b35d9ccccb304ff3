-- OVER: rows that come out of order within the watermark are put in order.
CREATE TABLE Orders (order_id BIGINT, customer STRING, product STRING, amount INT, price DECIMAL(10, 2), order_time TIMESTAMP(3),
  WATERMARK FOR order_time AS order_time - INTERVAL '5' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/orders.json', 'format' = 'json');
SELECT order_id, order_time, LAST_VALUE(order_id) OVER (ORDER BY order_time ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) AS l, FIRST_VALUE(order_id) OVER (ORDER BY order_time ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) AS f FROM Orders WHERE order_id IN (3, 4, 7, 8, 11, 12);
