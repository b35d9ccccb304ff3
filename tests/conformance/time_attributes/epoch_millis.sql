-- Time attributes: from milliseconds, TO_TIMESTAMP_LTZ.
CREATE TABLE Orders (order_id BIGINT, ms AS order_id * 10000, moment AS TO_TIMESTAMP_LTZ(order_id * 10000, 3), WATERMARK FOR moment AS moment - INTERVAL '1' MINUTE)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/orders.json', 'format' = 'json');
SELECT window_start, COUNT(*) AS n FROM TABLE(TUMBLE(TABLE Orders, DESCRIPTOR(moment), INTERVAL '1' MINUTE)) GROUP BY window_start, window_end;
