-- Window aggregation: HOP by key with an offset.
CREATE TABLE Orders (order_id BIGINT, customer STRING, product STRING, amount INT, price DECIMAL(10, 2), order_time TIMESTAMP(3),
  WATERMARK FOR order_time AS order_time - INTERVAL '5' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/orders.json', 'format' = 'json');
SELECT product, window_start, window_end, SUM(amount) AS s FROM TABLE(HOP(TABLE Orders, DESCRIPTOR(order_time), INTERVAL '10' SECOND, INTERVAL '20' SECOND, INTERVAL '3' SECOND)) GROUP BY product, window_start, window_end;
