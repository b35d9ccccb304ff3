-- OVER of the last rows: a late row waits for the next watermark, so that one that is later still, but before it in time, is not lost.
-- cut: row by row
CREATE TABLE t0 (id INT, k INT, s STRING, v0 INT, v1 BIGINT, v2 BOOLEAN, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '1' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/data/over_rows_late.json', 'format' = 'json');
SELECT a.id, a.k, a.s, a.v0, a.v1, a.v2, a.ts, COUNT(*) OVER w AS c1, MIN((a.v1 > a.v1)) OVER w AS c2 FROM t0 AS a WINDOW w AS (ORDER BY a.ts ROWS BETWEEN 2 PRECEDING AND CURRENT ROW);
