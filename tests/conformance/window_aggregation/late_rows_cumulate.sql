-- Window aggregation: over CUMULATE a late row still counts in the longer windows.
-- cut: row by row
CREATE TABLE Late (id INT, k STRING, v INT, ts TIMESTAMP(3),
  WATERMARK FOR ts AS ts - INTERVAL '2' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/late.json', 'format' = 'json');
SELECT window_end, COUNT(*) AS n, SUM(v) AS s FROM TABLE(CUMULATE(TABLE Late, DESCRIPTOR(ts), INTERVAL '5' SECOND, INTERVAL '20' SECOND)) GROUP BY window_start, window_end;
