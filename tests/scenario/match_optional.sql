CREATE TABLE bids (auction INT, bidder STRING, price DOUBLE, quantity INT, fee DECIMAL(10, 2), ok BOOLEAN, ts TIMESTAMP(3),
  WATERMARK FOR ts AS ts - INTERVAL '1' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/data/bids.json', 'format' = 'json');
SELECT * FROM bids MATCH_RECOGNIZE (
  PARTITION BY auction ORDER BY ts
  MEASURES A.ts AS a, B.ts AS b, C.ts AS c, D.ts AS d
  AFTER MATCH SKIP PAST LAST ROW
  PATTERN (A B? C? D)
  DEFINE A AS A.quantity > 1, B AS B.price < 30, C AS C.price > 15, D AS D.fee > 1
) AS m;
