-- W1 with its rows encoded as JSON again and written into files.
CREATE TABLE paid (
  event_timestamp TIMESTAMP(3),
  user_id STRING,
  total_paid DOUBLE
) WITH ('connector' = 'filesystem', 'path' = '${OUTPUT}', 'format' = 'json');

INSERT INTO paid
SELECT event_timestamp, user_id, total_paid FROM transactions WHERE status = 'Paid';
