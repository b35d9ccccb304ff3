-- MATCH_RECOGNIZE: SUM, COUNT, MIN and MAX over a variable.
CREATE TABLE Ticker (symbol STRING, price INT, tax INT, row_time TIMESTAMP(3),
  WATERMARK FOR row_time AS row_time - INTERVAL '2' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/ticker.json', 'format' = 'json');
SELECT * FROM Ticker MATCH_RECOGNIZE (
  PARTITION BY symbol ORDER BY row_time
  MEASURES SUM(A.price) AS s, COUNT(A.price) AS n, MIN(A.price) AS lo, MAX(A.price) AS hi, B.price AS b
  AFTER MATCH SKIP PAST LAST ROW
  PATTERN (A+ B) DEFINE A AS SUM(A.price) < 60
) MR;
