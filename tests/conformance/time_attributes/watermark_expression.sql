-- Time attributes: a watermark of an expression.
CREATE TABLE Orders (order_id BIGINT, order_time TIMESTAMP(3), WATERMARK FOR order_time AS CASE WHEN order_id > 3 THEN order_time - INTERVAL '10' SECOND ELSE order_time - INTERVAL '20' SECOND END)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/orders.json', 'format' = 'json');
SELECT window_start, COUNT(*) AS n FROM TABLE(TUMBLE(TABLE Orders, DESCRIPTOR(order_time), INTERVAL '10' SECOND)) GROUP BY window_start, window_end;
