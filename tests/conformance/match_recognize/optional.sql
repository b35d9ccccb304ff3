-- MATCH_RECOGNIZE: an optional variable.
CREATE TABLE Ticker (symbol STRING, price INT, tax INT, row_time TIMESTAMP(3),
  WATERMARK FOR row_time AS row_time - INTERVAL '2' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/ticker.json', 'format' = 'json');
SELECT * FROM Ticker MATCH_RECOGNIZE (
  PARTITION BY symbol ORDER BY row_time
  MEASURES A.price AS a, B.price AS b, C.price AS c
  AFTER MATCH SKIP PAST LAST ROW
  PATTERN (A B? C) DEFINE A AS A.price > 20, B AS B.price BETWEEN 18 AND 20, C AS C.price < 18
) MR;
