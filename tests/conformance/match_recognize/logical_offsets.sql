-- MATCH_RECOGNIZE: FIRST and LAST with a logical offset.
CREATE TABLE Ticker (symbol STRING, price INT, tax INT, row_time TIMESTAMP(3),
  WATERMARK FOR row_time AS row_time - INTERVAL '2' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/ticker.json', 'format' = 'json');
SELECT * FROM Ticker MATCH_RECOGNIZE (
  PARTITION BY symbol ORDER BY row_time
  MEASURES FIRST(A.price, 1) AS f1, LAST(A.price, 1) AS l1, LAST(A.price, 9) AS l9
  AFTER MATCH SKIP PAST LAST ROW
  PATTERN (A{3} B) DEFINE A AS A.price > 0, B AS B.price > 0
) MR;
