CREATE TABLE bids (auction INT, bidder STRING, price DOUBLE, quantity INT, fee DECIMAL(10, 2), ok BOOLEAN, ts TIMESTAMP(3),
  WATERMARK FOR ts AS ts - INTERVAL '1' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/data/bids.json', 'format' = 'json');
SELECT * FROM bids MATCH_RECOGNIZE (
  PARTITION BY auction ORDER BY ts
  MEASURES A.ts AS a, FIRST(B.ts) AS b1, LAST(B.ts) AS b2, C.ts AS c
  AFTER MATCH SKIP TO FIRST B
  PATTERN (A+ B+ C)
  DEFINE A AS A.quantity < 3, B AS B.quantity >= 2, C AS C.quantity < 2
) AS m;
