CREATE TABLE bids (auction INT, bidder STRING, price DOUBLE, quantity INT, fee DECIMAL(10, 2), ok BOOLEAN, ts TIMESTAMP(3),
  WATERMARK FOR ts AS ts - INTERVAL '1' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/data/bids.json', 'format' = 'json');
SELECT * FROM bids MATCH_RECOGNIZE (
  ORDER BY ts
  MEASURES A.auction AS a, LAST(B.auction) AS b, C.auction AS c, C.ts AS ts
  AFTER MATCH SKIP PAST LAST ROW
  PATTERN (A B{2,3} C)
  DEFINE A AS A.auction = 1, B AS B.auction > 1, C AS C.auction = 1
) AS m;
