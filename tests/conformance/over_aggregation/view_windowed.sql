-- OVER: its result as a view, windowed.
CREATE TABLE Orders (order_id BIGINT, customer STRING, product STRING, amount INT, price DECIMAL(10, 2), order_time TIMESTAMP(3),
  WATERMARK FOR order_time AS order_time - INTERVAL '5' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/orders.json', 'format' = 'json');
CREATE VIEW sums AS SELECT order_time, SUM(amount) OVER (ORDER BY order_time ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) AS s FROM Orders;
SELECT window_start, MAX(s) AS m FROM TABLE(TUMBLE(TABLE sums, DESCRIPTOR(order_time), INTERVAL '20' SECOND)) GROUP BY window_start, window_end;
