CREATE TABLE bids (auction INT, bidder STRING, price DOUBLE, quantity INT, fee DECIMAL(10, 2), ok BOOLEAN, ts TIMESTAMP(3),
  t AS CAST(FLOOR(ts TO SECOND) AS TIMESTAMP(3)), WATERMARK FOR t AS t - INTERVAL '3' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/data/bids.json', 'format' = 'json');
SELECT * FROM bids MATCH_RECOGNIZE (
  PARTITION BY auction ORDER BY t
  MEASURES A.ts AS a, LAST(B.ts) AS b, C.ts AS c
  AFTER MATCH SKIP PAST LAST ROW
  PATTERN (A B+ C)
  DEFINE B AS B.price > 15, C AS C.price <= 15
) AS m;
