-- Payments from one topic, those that were paid to another with three columns.
SET 'parallelism.default' = '${WORKERS}';

CREATE TABLE transactions (
  event_timestamp TIMESTAMP(3),
  user_id STRING,
  transaction_id STRING,
  total_paid DOUBLE,
  status STRING
) WITH (
  'connector' = 'kafka',
  'topic' = '${INPUT}',
  'properties.bootstrap.servers' = '${BOOTSTRAP}',
  'scan.startup.mode' = 'earliest-offset',
  'scan.bounded.mode' = 'latest-offset',
  'format' = 'json'
);

CREATE TABLE paid (
  event_timestamp TIMESTAMP(3),
  user_id STRING,
  total_paid DOUBLE
) WITH (
  'connector' = 'kafka',
  'topic' = '${OUTPUT}',
  'properties.bootstrap.servers' = '${BOOTSTRAP}',
  'format' = 'json'
);

INSERT INTO paid
SELECT event_timestamp, user_id, total_paid FROM transactions WHERE status = 'Paid';
