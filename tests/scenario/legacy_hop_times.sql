CREATE TABLE bids (auction INT, bidder STRING, price DOUBLE, quantity INT, fee DECIMAL(10, 2), ok BOOLEAN, ts TIMESTAMP(3),
  WATERMARK FOR ts AS ts - INTERVAL '1' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/data/bids.json', 'format' = 'json');
SELECT HOP_START(ts, INTERVAL '5' SECOND, INTERVAL '15' SECOND) AS ws, HOP_END(ts, INTERVAL '5' SECOND, INTERVAL '15' SECOND) AS we,
  HOP_ROWTIME(ts, INTERVAL '5' SECOND, INTERVAL '15' SECOND) AS wt, auction, COUNT(*) AS n
FROM bids GROUP BY auction, HOP(ts, INTERVAL '5' SECOND, INTERVAL '15' SECOND);
