-- Transactions: paid totals in 3-second windows.
-- Everything generated and shown:     mainstem run examples/transactions/pipeline.sql
-- From and to Kafka:                  --var SOURCE=kafka --var SINK=kafka --var BOOTSTRAP=localhost:9092
-- The same without a Kafka:           mainstem up, with live.sql beside: see there

CREATE TABLE transactions_generated (
  event_timestamp TIMESTAMP(3),
  user_id STRING,
  transaction_id STRING,
  total_paid DOUBLE,
  status STRING,
  WATERMARK FOR event_timestamp AS event_timestamp - INTERVAL '1' SECOND
) WITH (
  'connector' = 'faker',
  'number-of-rows' = '${ROWS:-20000}',
  'fields.event_timestamp.expression' = '#{sequence.timestamp ''2026-01-01 00:00:00'',''1''}',
  'fields.user_id.expression' = '#{Options.option ''0a9d1f6e-6f0b-4a53-9d37-3c1f5f0a7b11'',''1c52e7b4-93d8-4c0e-8a6b-5e9d2f7c4a22'',''2f84b0c3-15e6-4d7a-b2c9-7a6e1d3f5b33'',''3b17d9a8-48f2-4e61-a5d0-9c8b7e6f1d44'',''4e6ac2f5-7b39-4f18-8e47-1b2d3c4f5a55'',''5d93f4e7-a60c-4b25-97f8-2e4f6a8c0b66'',''6a28e5d1-c9b7-4832-b0a1-4d6f8b0c2e77'',''7f40a6b9-d3c5-4a9e-8c12-6b8d0f2e4a88'',''8c75b1e0-2e4f-4d6c-9f35-8a0c2e4f6b99'',''9e01c8d2-5f6a-4b7d-a846-0c2e4f6a8d00''}',
  'fields.transaction_id.expression' = '#{Internet.uuid}',
  'fields.total_paid.expression' = '#{number.randomDouble ''2'',''1'',''1000''}',
  'fields.status.expression' = '#{Options.option ''Paid'',''Paid'',''Paid'',''Refused''}'
);

CREATE TABLE transactions_kafka (
  event_timestamp TIMESTAMP(3),
  user_id STRING,
  transaction_id STRING,
  total_paid DOUBLE,
  status STRING,
  WATERMARK FOR event_timestamp AS event_timestamp - INTERVAL '1' SECOND
) WITH (
  'connector' = 'kafka',
  'topic' = '${TOPIC:-transactions}',
  'properties.bootstrap.servers' = '${BOOTSTRAP:-embedded}',
  'properties.group.id' = 'mainstem-transactions',
  'properties.auto.offset.reset' = 'earliest',
  'scan.startup.mode' = '${STARTUP:-earliest-offset}',
  'scan.bounded.mode' = '${BOUNDED:-unbounded}',
  'format' = 'json'
);

CREATE TABLE paid_totals_print (
  window_start TIMESTAMP(3),
  window_end TIMESTAMP(3),
  total_paid DOUBLE,
  transactions BIGINT,
  average_paid DOUBLE
) WITH ('connector' = 'print');

CREATE TABLE paid_totals_kafka WITH (
  'connector' = 'kafka',
  'topic' = '${OUTPUT:-paid-totals}',
  'properties.bootstrap.servers' = '${BOOTSTRAP:-embedded}',
  'format' = 'json'
) LIKE paid_totals_print (EXCLUDING OPTIONS);

INSERT INTO paid_totals_${SINK:-print}
SELECT
  window_start,
  window_end,
  ROUND(SUM(total_paid), 2) AS total_paid,
  COUNT(*) AS transactions,
  ROUND(AVG(total_paid), 2) AS average_paid
FROM TABLE(TUMBLE(TABLE transactions_${SOURCE:-generated}, DESCRIPTOR(event_timestamp), INTERVAL '3' SECOND))
WHERE status = 'Paid'
GROUP BY window_start, window_end;
