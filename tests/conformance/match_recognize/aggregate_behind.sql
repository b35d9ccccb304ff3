-- MATCH_RECOGNIZE: its result aggregated.
CREATE TABLE Ticker (symbol STRING, price INT, tax INT, row_time TIMESTAMP(3),
  WATERMARK FOR row_time AS row_time - INTERVAL '2' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/ticker.json', 'format' = 'json');
SELECT symbol, COUNT(*) AS n, SUM(b) AS s FROM Ticker MATCH_RECOGNIZE (
  PARTITION BY symbol ORDER BY row_time
  MEASURES B.price AS b
  AFTER MATCH SKIP PAST LAST ROW
  PATTERN (A B) DEFINE B AS B.price > A.price
) MR GROUP BY symbol;
