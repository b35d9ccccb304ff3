-- MATCH_RECOGNIZE: expressions over variables in MEASURES.
CREATE TABLE Ticker (symbol STRING, price INT, tax INT, row_time TIMESTAMP(3),
  WATERMARK FOR row_time AS row_time - INTERVAL '2' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/ticker.json', 'format' = 'json');
SELECT symbol, diff, what FROM Ticker MATCH_RECOGNIZE (
  PARTITION BY symbol ORDER BY row_time
  MEASURES B.price - A.price AS diff, CASE WHEN A.tax > 1 THEN 'taxed' ELSE 'free' END AS what
  AFTER MATCH SKIP PAST LAST ROW
  PATTERN (A B) DEFINE B AS ABS(B.price - A.price) > 2
) MR;
