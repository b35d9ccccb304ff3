CREATE TABLE bids (auction INT, bidder STRING, price DOUBLE, quantity INT, fee DECIMAL(10, 2), ok BOOLEAN, ts TIMESTAMP(3),
  WATERMARK FOR ts AS ts - INTERVAL '1' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/data/bids.json', 'format' = 'json');
SELECT auction, a - b AS d FROM (SELECT auction, price - fee AS gain, ts FROM bids WHERE quantity > 0) MATCH_RECOGNIZE (
  PARTITION BY auction ORDER BY ts
  MEASURES A.gain AS a, B.gain AS b
  AFTER MATCH SKIP PAST LAST ROW
  PATTERN (A B)
  DEFINE A AS A.gain > 5, B AS B.gain < A.gain
) AS m;
