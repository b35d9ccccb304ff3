CREATE TABLE bids (auction INT, bidder STRING, price DOUBLE, quantity INT, fee DECIMAL(10, 2), ok BOOLEAN, ts TIMESTAMP(3),
  WATERMARK FOR ts AS ts - INTERVAL '1' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/data/bids.json', 'format' = 'json');
SELECT * FROM (SELECT auction, ts, COUNT(*) AS n FROM bids GROUP BY auction, ts) MATCH_RECOGNIZE (
  PARTITION BY auction ORDER BY ts
  MEASURES A.n AS a
  AFTER MATCH SKIP PAST LAST ROW
  PATTERN (A B)
  DEFINE B AS B.n > 1
) AS m;
