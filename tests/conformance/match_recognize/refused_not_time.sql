-- MATCH_RECOGNIZE: the order must begin with a time attribute.
CREATE TABLE Ticker (symbol STRING, price INT, tax INT, row_time TIMESTAMP(3),
  WATERMARK FOR row_time AS row_time - INTERVAL '2' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/ticker.json', 'format' = 'json');
SELECT * FROM Ticker MATCH_RECOGNIZE (
  PARTITION BY symbol ORDER BY price MEASURES A.price AS a
  AFTER MATCH SKIP PAST LAST ROW PATTERN (A B) DEFINE B AS B.price > 10
) MR;
