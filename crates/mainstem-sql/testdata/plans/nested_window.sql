CREATE TABLE tx (event_timestamp TIMESTAMP(3), user_id STRING, transaction_id STRING, total_paid DOUBLE, status STRING,
  WATERMARK FOR event_timestamp AS event_timestamp - INTERVAL '1' SECOND)
  WITH ('connector' = 'filesystem', 'format' = 'json');
SELECT window_start, window_end, MAX(n) FROM (
  SELECT window_start, window_end, user_id, COUNT(*) AS n
  FROM HOP(DATA => TABLE tx, TIMECOL => DESCRIPTOR(event_timestamp), SLIDE => INTERVAL '1' SECOND, SIZE => INTERVAL '5' SECOND)
  GROUP BY window_start, window_end, user_id)
GROUP BY window_start, window_end;
