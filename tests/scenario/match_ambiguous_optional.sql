CREATE TABLE bids (auction INT, bidder STRING, price DOUBLE, quantity INT, fee DECIMAL(10, 2), ok BOOLEAN, ts TIMESTAMP(3),
  WATERMARK FOR ts AS ts - INTERVAL '1' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/data/bids.json', 'format' = 'json');
SELECT * FROM bids MATCH_RECOGNIZE (
  PARTITION BY auction ORDER BY ts
  MEASURES S.ts AS s, A.ts AS a, B.ts AS b, COUNT(C.auction) AS nc, D.ts AS d
  AFTER MATCH SKIP PAST LAST ROW
  PATTERN (S A? B? C{1,3}? D)
  DEFINE A AS A.quantity > 0, B AS B.quantity > 0, C AS C.quantity > 0, D AS D.price > 20
) AS m;
