-- MATCH_RECOGNIZE: MATCH_ROWTIME() keeps a time attribute, which is windowed.
CREATE TABLE Ticker (symbol STRING, price INT, tax INT, row_time TIMESTAMP(3),
  WATERMARK FOR row_time AS row_time - INTERVAL '2' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/ticker.json', 'format' = 'json');
CREATE VIEW rises AS SELECT * FROM Ticker MATCH_RECOGNIZE (
  PARTITION BY symbol ORDER BY row_time
  MEASURES A.price AS a, B.price AS b, MATCH_ROWTIME() AS rt
  AFTER MATCH SKIP PAST LAST ROW
  PATTERN (A B) DEFINE B AS B.price > A.price
) MR;
SELECT window_start, COUNT(*) AS n FROM TABLE(TUMBLE(TABLE rises, DESCRIPTOR(rt), INTERVAL '5' SECOND)) GROUP BY window_start, window_end;
