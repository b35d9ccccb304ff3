CREATE TABLE bids (auction INT, bidder STRING, price DOUBLE, quantity INT, fee DECIMAL(10, 2), ok BOOLEAN, ts TIMESTAMP(3),
  WATERMARK FOR ts AS ts - INTERVAL '1' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/data/bids.json', 'format' = 'json');
SELECT * FROM bids MATCH_RECOGNIZE (
  PARTITION BY auction ORDER BY ts
  MEASURES FIRST(A.ts) AS a1, FIRST(A.ts, 1) AS a2, LAST(A.ts) AS a3
  AFTER MATCH SKIP PAST LAST ROW
  PATTERN (A{3})
  DEFINE A AS A.quantity > 0
) AS m;
