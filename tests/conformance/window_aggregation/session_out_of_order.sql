-- Window aggregation: a row that comes late but not too late joins two sessions.
CREATE TABLE Orders (order_id BIGINT, customer STRING, product STRING, amount INT, price DECIMAL(10, 2), order_time TIMESTAMP(3),
  WATERMARK FOR order_time AS order_time - INTERVAL '5' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/orders.json', 'format' = 'json');
SELECT window_start, window_end, customer, COUNT(*) AS n, SUM(amount) AS s FROM TABLE(SESSION(TABLE Orders PARTITION BY customer, DESCRIPTOR(order_time), INTERVAL '10' SECOND)) GROUP BY customer, window_start, window_end;
