-- The payments of `mainstem gen --dataset transactions` as a file of JSON lines, and where results go. Flink reads the same text.
SET 'parallelism.default' = '${WORKERS}';

CREATE TABLE transactions (
  event_timestamp TIMESTAMP(3),
  user_id STRING,
  transaction_id STRING,
  total_paid DOUBLE,
  status STRING,
  WATERMARK FOR event_timestamp AS event_timestamp - INTERVAL '1' SECOND
) WITH ('connector' = 'filesystem', 'path' = '${INPUT}', 'format' = 'json');
