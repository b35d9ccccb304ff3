CREATE TABLE tx (event_timestamp TIMESTAMP(3), user_id STRING, transaction_id STRING, total_paid DOUBLE, status STRING,
  WATERMARK FOR event_timestamp AS event_timestamp - INTERVAL '1' SECOND)
  WITH ('connector' = 'filesystem', 'format' = 'json');
SELECT user FROM tx;
SELECT user_id, SUM(total_paid) FROM tx;
SELECT SUM(user_id) FROM tx;
SELECT * FROM txs;
SELECT UPER(user_id) FROM tx;
SELECT user_id + 1 FROM tx WHERE total_paid;
SELECT COUNT(*) FROM TABLE(TUMBLE(TABLE tx, DESCRIPTOR(user_id), INTERVAL '3' SECOND)) GROUP BY window_start, window_end;
CREATE TABLE bad (a INT) WITH ('connector' = 'kafa');
CREATE TABLE late (ts TIMESTAMP(6), WATERMARK FOR ts AS ts) WITH ('connector' = 'kafka');
INSERT INTO tx SELECT 1;
INSERT INTO tx SELECT event_timestamp, user_id, transaction_id, status, status FROM tx;
