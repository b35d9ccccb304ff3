-- MATCH_RECOGNIZE: over a view with a filter.
CREATE TABLE Ticker (symbol STRING, price INT, tax INT, row_time TIMESTAMP(3),
  WATERMARK FOR row_time AS row_time - INTERVAL '2' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/ticker.json', 'format' = 'json');
CREATE VIEW dear AS SELECT symbol, price, row_time FROM Ticker WHERE price > 15;
SELECT * FROM dear MATCH_RECOGNIZE (
  PARTITION BY symbol ORDER BY row_time
  MEASURES A.price AS a, B.price AS b
  AFTER MATCH SKIP PAST LAST ROW
  PATTERN (A B) DEFINE B AS B.price > A.price
) MR;
