CREATE TABLE tx (event_timestamp TIMESTAMP(3), user_id STRING, transaction_id STRING, total_paid DOUBLE, status STRING,
  WATERMARK FOR event_timestamp AS event_timestamp - INTERVAL '1' SECOND)
  WITH ('connector' = 'filesystem', 'format' = 'json');
CREATE TABLE totals (user_id STRING, total DOUBLE, PRIMARY KEY (user_id) NOT ENFORCED) WITH ('connector' = 'upsert-kafka', 'format' = 'json');
INSERT INTO totals SELECT user_id, SUM(total_paid) FROM tx GROUP BY user_id;
SELECT COUNT(*), SUM(total) FROM totals;
