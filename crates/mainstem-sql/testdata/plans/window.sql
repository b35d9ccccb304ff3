CREATE TABLE tx (event_timestamp TIMESTAMP(3), user_id STRING, transaction_id STRING, total_paid DOUBLE, status STRING,
  WATERMARK FOR event_timestamp AS event_timestamp - INTERVAL '1' SECOND)
  WITH ('connector' = 'filesystem', 'format' = 'json');
CREATE TABLE out (window_start TIMESTAMP(3), window_end TIMESTAMP(3), user_id STRING, total DOUBLE, n BIGINT, mean DOUBLE) WITH ('connector' = 'kafka', 'format' = 'json');
INSERT INTO out
SELECT window_start, window_end, user_id, SUM(total_paid), COUNT(*), AVG(total_paid)
FROM TABLE(TUMBLE(TABLE tx, DESCRIPTOR(event_timestamp), INTERVAL '3' SECOND))
WHERE status = 'Paid'
GROUP BY window_start, window_end, user_id;
