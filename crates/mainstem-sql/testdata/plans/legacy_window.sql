CREATE TABLE tx (event_timestamp TIMESTAMP(3), user_id STRING, transaction_id STRING, total_paid DOUBLE, status STRING,
  WATERMARK FOR event_timestamp AS event_timestamp - INTERVAL '1' SECOND)
  WITH ('connector' = 'filesystem', 'format' = 'json');
SELECT user_id, TUMBLE_START(event_timestamp, INTERVAL '3' SECOND) AS ws, COUNT(DISTINCT transaction_id) AS n
FROM tx GROUP BY user_id, TUMBLE(event_timestamp, INTERVAL '3' SECOND) HAVING COUNT(*) > 1;
