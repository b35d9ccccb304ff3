-- W2: keep what was paid; per user and three seconds of event time the sum, the count and the average, into files.
CREATE TABLE totals (
  window_start TIMESTAMP(3),
  window_end TIMESTAMP(3),
  user_id STRING,
  paid_sum DOUBLE,
  paid_count BIGINT,
  paid_avg DOUBLE
) WITH ('connector' = 'filesystem', 'path' = '${OUTPUT}', 'format' = 'json');

INSERT INTO totals
SELECT window_start, window_end, user_id, SUM(total_paid), COUNT(*), AVG(total_paid)
FROM TABLE(TUMBLE(TABLE transactions, DESCRIPTOR(event_timestamp), INTERVAL '3' SECOND))
WHERE status = 'Paid'
GROUP BY window_start, window_end, user_id;
