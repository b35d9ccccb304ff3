CREATE TABLE tx (event_timestamp TIMESTAMP(3), user_id STRING, transaction_id STRING, total_paid DOUBLE, status STRING,
  WATERMARK FOR event_timestamp AS event_timestamp - INTERVAL '1' SECOND)
  WITH ('connector' = 'filesystem', 'format' = 'json');
INSERT INTO tx (user_id) SELECT user_id FROM (SELECT user_id, COUNT(*) AS n FROM tx GROUP BY user_id);
