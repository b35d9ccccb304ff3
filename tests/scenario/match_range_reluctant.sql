CREATE TABLE bids (auction INT, bidder STRING, price DOUBLE, quantity INT, fee DECIMAL(10, 2), ok BOOLEAN, ts TIMESTAMP(3),
  WATERMARK FOR ts AS ts - INTERVAL '1' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/data/bids.json', 'format' = 'json');
SELECT * FROM bids MATCH_RECOGNIZE (
  PARTITION BY auction ORDER BY ts
  MEASURES S.ts AS s, FIRST(A.ts) AS a1, LAST(A.ts) AS a2, COUNT(A.auction) AS n, B.ts AS b
  AFTER MATCH SKIP PAST LAST ROW
  PATTERN (S A{2,4}? B)
  DEFINE A AS A.quantity > 1, B AS B.price > 10
) AS m;
