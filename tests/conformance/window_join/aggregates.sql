-- Window join: of two window aggregations.
CREATE TABLE LeftTable (row_time TIMESTAMP(3), num INT, id STRING,
  WATERMARK FOR row_time AS row_time - INTERVAL '1' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/left_table.json', 'format' = 'json');
CREATE TABLE RightTable (row_time TIMESTAMP(3), num INT, id STRING,
  WATERMARK FOR row_time AS row_time - INTERVAL '1' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/right_table.json', 'format' = 'json');
SELECT L.num AS num, L.n AS left_n, R.n AS right_n, L.window_start AS ws
FROM (SELECT num, COUNT(*) AS n, window_start, window_end FROM TABLE(TUMBLE(TABLE LeftTable, DESCRIPTOR(row_time), INTERVAL '10' MINUTES)) GROUP BY num, window_start, window_end) L
JOIN (SELECT num, COUNT(*) AS n, window_start, window_end FROM TABLE(TUMBLE(TABLE RightTable, DESCRIPTOR(row_time), INTERVAL '10' MINUTES)) GROUP BY num, window_start, window_end) R
ON L.num = R.num AND L.window_start = R.window_start AND L.window_end = R.window_end;
