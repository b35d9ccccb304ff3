-- MATCH_RECOGNIZE: a price of the whole match so far.
CREATE TABLE Ticker (symbol STRING, price INT, tax INT, row_time TIMESTAMP(3),
  WATERMARK FOR row_time AS row_time - INTERVAL '2' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/ticker.json', 'format' = 'json');
SELECT * FROM Ticker MATCH_RECOGNIZE (
  PARTITION BY symbol ORDER BY row_time
  MEASURES FIRST(A.price) AS f, LAST(A.price) AS l
  AFTER MATCH SKIP PAST LAST ROW
  PATTERN (A+ B) DEFINE A AS A.price < FIRST(A.price) + 8, B AS B.tax > 0
) MR;
