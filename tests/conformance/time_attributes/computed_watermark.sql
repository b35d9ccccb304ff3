-- Time attributes: the time attribute is a computed column.
CREATE TABLE TextOrders (order_id BIGINT, order_time STRING, moment AS TO_TIMESTAMP(order_time), WATERMARK FOR moment AS moment - INTERVAL '5' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/orders.json', 'format' = 'json');
SELECT window_start, COUNT(*) AS n FROM TABLE(TUMBLE(TABLE TextOrders, DESCRIPTOR(moment), INTERVAL '20' SECOND)) GROUP BY window_start, window_end;
