-- MATCH_RECOGNIZE: MATCH_ROWTIME() is the time of the last row.
CREATE TABLE Ticker (symbol STRING, price INT, tax INT, row_time TIMESTAMP(3),
  WATERMARK FOR row_time AS row_time - INTERVAL '2' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/ticker.json', 'format' = 'json');
SELECT symbol, rt FROM Ticker MATCH_RECOGNIZE (
  PARTITION BY symbol ORDER BY row_time
  MEASURES MATCH_ROWTIME() AS rt
  AFTER MATCH SKIP PAST LAST ROW
  PATTERN (A B) DEFINE B AS B.price < A.price
) MR;
