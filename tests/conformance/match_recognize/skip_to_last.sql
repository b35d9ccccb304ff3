-- MATCH_RECOGNIZE: SKIP TO LAST of a variable.
CREATE TABLE Ticker (symbol STRING, price INT, tax INT, row_time TIMESTAMP(3),
  WATERMARK FOR row_time AS row_time - INTERVAL '2' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/ticker.json', 'format' = 'json');
SELECT * FROM Ticker MATCH_RECOGNIZE (
  PARTITION BY symbol ORDER BY row_time
  MEASURES A.price AS a, LAST(B.price) AS b, C.price AS c
  AFTER MATCH SKIP TO LAST B
  PATTERN (A B+ C) DEFINE B AS B.price > LAST(B.price, 1) OR LAST(B.price, 1) IS NULL, C AS C.price < LAST(B.price)
) MR;
