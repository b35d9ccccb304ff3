CREATE TABLE bids (auction INT, bidder STRING, price DOUBLE, quantity INT, fee DECIMAL(10, 2), ok BOOLEAN, ts TIMESTAMP(3),
  WATERMARK FOR ts AS ts - INTERVAL '1' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/data/bids.json', 'format' = 'json');
WITH m AS (SELECT * FROM bids MATCH_RECOGNIZE (
  PARTITION BY auction ORDER BY ts
  MEASURES A.bidder AS bidder, B.price AS price
  AFTER MATCH SKIP PAST LAST ROW
  PATTERN (A B) DEFINE B AS B.price > 30
))
SELECT auction, bidder, COUNT(*) AS n, MAX(price) AS p FROM m WHERE auction > 1 GROUP BY auction, bidder;
