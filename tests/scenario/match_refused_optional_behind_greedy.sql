CREATE TABLE bids (auction INT, bidder STRING, price DOUBLE, quantity INT, fee DECIMAL(10, 2), ok BOOLEAN, ts TIMESTAMP(3),
  WATERMARK FOR ts AS ts - INTERVAL '1' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/data/bids.json', 'format' = 'json');
SELECT * FROM bids MATCH_RECOGNIZE (
  PARTITION BY auction ORDER BY ts
  MEASURES S.ts AS s, COUNT(A.auction) AS na, COUNT(B.auction) AS nb, C.ts AS c
  AFTER MATCH SKIP TO NEXT ROW
  PATTERN (S A+ B* C)
  DEFINE A AS A.price > 15, B AS B.quantity > 0, C AS C.quantity <> 1
) AS m;
