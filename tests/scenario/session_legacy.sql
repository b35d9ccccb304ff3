CREATE TABLE bids (auction INT, bidder STRING, price DOUBLE, quantity INT, fee DECIMAL(10, 2), ok BOOLEAN, ts TIMESTAMP(3),
  WATERMARK FOR ts AS ts - INTERVAL '1' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/data/bids.json', 'format' = 'json');
SELECT auction, SESSION_START(ts, INTERVAL '2' SECOND) AS ws, SESSION_END(ts, INTERVAL '2' SECOND) AS we, SESSION_ROWTIME(ts, INTERVAL '2' SECOND) AS wt, COUNT(*) AS n, MIN(bidder) AS b
FROM bids GROUP BY auction, SESSION(ts, INTERVAL '2' SECOND);
