-- MATCH_RECOGNIZE: late rows are left out.
-- cut: row by row
CREATE TABLE Late (id INT, k STRING, v INT, ts TIMESTAMP(3),
  WATERMARK FOR ts AS ts - INTERVAL '2' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/late.json', 'format' = 'json');
SELECT * FROM Late MATCH_RECOGNIZE (
  ORDER BY ts MEASURES A.id AS a, B.id AS b
  AFTER MATCH SKIP TO NEXT ROW
  PATTERN (A B) DEFINE B AS B.id > 0
) MR;
