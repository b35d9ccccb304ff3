-- MATCH_RECOGNIZE: without PARTITION BY.
CREATE TABLE Ticker (symbol STRING, price INT, tax INT, row_time TIMESTAMP(3),
  WATERMARK FOR row_time AS row_time - INTERVAL '2' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/ticker.json', 'format' = 'json');
SELECT * FROM Ticker MATCH_RECOGNIZE (
  ORDER BY row_time
  MEASURES A.symbol AS sa, B.symbol AS sb, B.price AS b
  AFTER MATCH SKIP PAST LAST ROW
  PATTERN (A B) DEFINE A AS A.symbol = 'ACME', B AS B.symbol = 'GLOB'
) MR;
