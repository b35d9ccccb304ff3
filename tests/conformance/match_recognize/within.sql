-- MATCH_RECOGNIZE: WITHIN bounds the time of a match.
CREATE TABLE Ticker (symbol STRING, price INT, tax INT, row_time TIMESTAMP(3),
  WATERMARK FOR row_time AS row_time - INTERVAL '2' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/ticker.json', 'format' = 'json');
SELECT * FROM Ticker MATCH_RECOGNIZE (
  PARTITION BY symbol ORDER BY row_time
  MEASURES A.row_time AS drop_time, A.price - C.price AS drop_diff
  ONE ROW PER MATCH AFTER MATCH SKIP PAST LAST ROW
  PATTERN (A B* C) WITHIN INTERVAL '3' SECOND
  DEFINE B AS B.price > A.price - 10, C AS C.price < A.price - 6
) MR;
