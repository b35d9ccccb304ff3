-- MATCH_RECOGNIZE: two to three, greedy.
CREATE TABLE Ticker (symbol STRING, price INT, tax INT, row_time TIMESTAMP(3),
  WATERMARK FOR row_time AS row_time - INTERVAL '2' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/ticker.json', 'format' = 'json');
SELECT * FROM Ticker MATCH_RECOGNIZE (
  PARTITION BY symbol ORDER BY row_time
  MEASURES FIRST(A.price) AS f, LAST(A.price) AS l, COUNT(A.price) AS n, B.price AS b
  AFTER MATCH SKIP PAST LAST ROW
  PATTERN (A{2,3} B) DEFINE A AS A.price > 14, B AS B.price > 0
) MR;
