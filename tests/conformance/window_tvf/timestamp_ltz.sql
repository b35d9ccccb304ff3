-- Windowing TVF: over a TIMESTAMP_LTZ time attribute.
CREATE TABLE Orders (order_id BIGINT, customer STRING, product STRING, amount INT, order_time TIMESTAMP(3), moment AS CAST(order_time AS TIMESTAMP_LTZ(3)),
  WATERMARK FOR moment AS moment - INTERVAL '5' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/orders.json', 'format' = 'json');
SELECT order_id, window_start, window_time FROM TABLE(TUMBLE(TABLE Orders, DESCRIPTOR(moment), INTERVAL '10' SECOND));
