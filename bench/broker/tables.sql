-- The payments of `mainstem gen --dataset transactions` in a topic of the embedded broker: the same columns as in
-- bench/transactions/tables.sql, where they are in a file.
SET 'parallelism.default' = '${WORKERS}';

CREATE TABLE transactions (
  event_timestamp TIMESTAMP(3),
  user_id STRING,
  transaction_id STRING,
  total_paid DOUBLE,
  status STRING,
  WATERMARK FOR event_timestamp AS event_timestamp - INTERVAL '1' SECOND
) WITH (
  'connector' = 'kafka',
  'topic' = '${INPUT}',
  'scan.startup.mode' = 'earliest-offset',
  'scan.bounded.mode' = 'latest-offset',
  'format' = 'json'
);
