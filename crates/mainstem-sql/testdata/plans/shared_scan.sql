CREATE TABLE tx (event_timestamp TIMESTAMP(3), user_id STRING, transaction_id STRING, total_paid DOUBLE, status STRING,
  WATERMARK FOR event_timestamp AS event_timestamp - INTERVAL '1' SECOND)
  WITH ('connector' = 'filesystem', 'format' = 'json');
CREATE TABLE a (user_id STRING) WITH ('connector' = 'print');
CREATE TABLE b (total_paid DOUBLE, ts TIMESTAMP(3)) WITH ('connector' = 'print');
EXECUTE STATEMENT SET BEGIN
INSERT INTO a SELECT user_id FROM tx WHERE status = 'Paid';
INSERT INTO b SELECT total_paid * 2, event_timestamp FROM tx WHERE total_paid > 10;
END;
