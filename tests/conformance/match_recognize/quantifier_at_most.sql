-- MATCH_RECOGNIZE: at most two.
CREATE TABLE Ticker (symbol STRING, price INT, tax INT, row_time TIMESTAMP(3),
  WATERMARK FOR row_time AS row_time - INTERVAL '2' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/ticker.json', 'format' = 'json');
SELECT * FROM Ticker MATCH_RECOGNIZE (
  PARTITION BY symbol ORDER BY row_time
  MEASURES A.price AS a, COUNT(B.price) AS n, C.price AS c
  AFTER MATCH SKIP PAST LAST ROW
  PATTERN (A B{,2} C) DEFINE A AS A.tax = 1, B AS B.price > 18, C AS C.tax = 1
) MR;
