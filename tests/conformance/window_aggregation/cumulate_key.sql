-- Window aggregation: CUMULATE by key.
CREATE TABLE Orders (order_id BIGINT, customer STRING, product STRING, amount INT, price DECIMAL(10, 2), order_time TIMESTAMP(3),
  WATERMARK FOR order_time AS order_time - INTERVAL '5' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/orders.json', 'format' = 'json');
SELECT product, window_start, window_end, COUNT(*) AS n, MAX(amount) AS m FROM TABLE(CUMULATE(TABLE Orders, DESCRIPTOR(order_time), INTERVAL '20' SECOND, INTERVAL '1' MINUTE)) GROUP BY product, window_start, window_end;
