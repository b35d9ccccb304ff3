-- Window aggregation: several aggregates over sessions.
CREATE TABLE Orders (order_id BIGINT, customer STRING, product STRING, amount INT, price DECIMAL(10, 2), order_time TIMESTAMP(3),
  WATERMARK FOR order_time AS order_time - INTERVAL '5' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/orders.json', 'format' = 'json');
SELECT window_start, product, MIN(price) AS lo, MAX(price) AS hi, AVG(amount) AS a, COUNT(DISTINCT customer) AS c FROM TABLE(SESSION(TABLE Orders PARTITION BY product, DESCRIPTOR(order_time), INTERVAL '6' SECOND)) GROUP BY product, window_start, window_end;
