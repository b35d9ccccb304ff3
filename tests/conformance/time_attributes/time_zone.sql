-- Time attributes: windows of a TIMESTAMP_LTZ begin at midnight of the session's zone.
CREATE TABLE Orders (order_id BIGINT, customer STRING, product STRING, amount INT, order_time TIMESTAMP(3), moment AS CAST(order_time AS TIMESTAMP_LTZ(3)),
  WATERMARK FOR moment AS moment - INTERVAL '5' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/orders.json', 'format' = 'json');
SET 'table.local-time-zone' = 'Asia/Kolkata';
SELECT window_start, window_end, COUNT(*) AS n FROM TABLE(TUMBLE(TABLE Orders, DESCRIPTOR(moment), INTERVAL '1' DAY)) GROUP BY window_start, window_end;
