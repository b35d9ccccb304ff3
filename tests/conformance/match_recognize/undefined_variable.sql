-- MATCH_RECOGNIZE: a variable without a definition takes any row.
CREATE TABLE Ticker (symbol STRING, price INT, tax INT, row_time TIMESTAMP(3),
  WATERMARK FOR row_time AS row_time - INTERVAL '2' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/ticker.json', 'format' = 'json');
SELECT * FROM Ticker MATCH_RECOGNIZE (
  PARTITION BY symbol ORDER BY row_time
  MEASURES A.price AS a, X.price AS x, B.price AS b
  AFTER MATCH SKIP PAST LAST ROW
  PATTERN (A X B) DEFINE A AS A.tax = 2, B AS B.tax = 1
) MR;
