-- Group windows (legacy): late rows are left out.
-- cut: row by row
CREATE TABLE Late (id INT, k STRING, v INT, ts TIMESTAMP(3),
  WATERMARK FOR ts AS ts - INTERVAL '2' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/late.json', 'format' = 'json');
SELECT TUMBLE_START(ts, INTERVAL '10' SECOND) AS s, SUM(v) AS a FROM Late GROUP BY TUMBLE(ts, INTERVAL '10' SECOND);
