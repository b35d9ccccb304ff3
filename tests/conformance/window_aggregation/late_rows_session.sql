-- Window aggregation: a late row that no open session takes is left out.
-- cut: row by row
CREATE TABLE Late (id INT, k STRING, v INT, ts TIMESTAMP(3),
  WATERMARK FOR ts AS ts - INTERVAL '2' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/late.json', 'format' = 'json');
SELECT k, window_start, window_end, SUM(v) AS s FROM TABLE(SESSION(TABLE Late PARTITION BY k, DESCRIPTOR(ts), INTERVAL '4' SECOND)) GROUP BY k, window_start, window_end;
