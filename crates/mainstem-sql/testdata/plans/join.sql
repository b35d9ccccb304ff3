CREATE TABLE tx (event_timestamp TIMESTAMP(3), user_id STRING, transaction_id STRING, total_paid DOUBLE, status STRING,
  WATERMARK FOR event_timestamp AS event_timestamp - INTERVAL '1' SECOND)
  WITH ('connector' = 'filesystem', 'format' = 'json');
CREATE TABLE rates (currency STRING, rate DECIMAL(10, 4)) WITH ('connector' = 'filesystem', 'format' = 'json');
SELECT t.user_id, t.total_paid * r.rate AS brl FROM tx AS t JOIN rates AS r ON r.currency = 'BRL' AND t.status = r.currency WHERE t.total_paid > 0;
