-- Window top-N: late rows are left out.
-- cut: row by row
CREATE TABLE Late (id INT, k STRING, v INT, ts TIMESTAMP(3),
  WATERMARK FOR ts AS ts - INTERVAL '2' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/late.json', 'format' = 'json');
SELECT id, window_start, rownum FROM (
  SELECT *, ROW_NUMBER() OVER (PARTITION BY window_start, window_end ORDER BY v DESC) AS rownum
  FROM TABLE(TUMBLE(TABLE Late, DESCRIPTOR(ts), INTERVAL '10' SECOND)))
WHERE rownum <= 2;
