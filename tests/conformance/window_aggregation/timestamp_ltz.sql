-- Window aggregation: over TIMESTAMP_LTZ.
CREATE TABLE Orders (order_id BIGINT, customer STRING, product STRING, amount INT, order_time TIMESTAMP(3), moment AS CAST(order_time AS TIMESTAMP_LTZ(3)),
  WATERMARK FOR moment AS moment - INTERVAL '5' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/orders.json', 'format' = 'json');
SELECT window_start, window_end, COUNT(*) AS n FROM TABLE(TUMBLE(TABLE Orders, DESCRIPTOR(moment), INTERVAL '20' SECOND)) GROUP BY window_start, window_end;
