CREATE TABLE bids (auction INT, bidder STRING, price DOUBLE, quantity INT, fee DECIMAL(10, 2), ok BOOLEAN, ts TIMESTAMP(3),
  WATERMARK FOR ts AS ts - INTERVAL '1' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/data/bids.json', 'format' = 'json');
SET 'table.exec.emit.early-fire.enabled' = 'true';
SET 'table.exec.emit.early-fire.delay' = '1 s';
SELECT auction, HOP_START(ts, INTERVAL '10' SECOND, INTERVAL '20' SECOND) AS ws, HOP_ROWTIME(ts, INTERVAL '10' SECOND, INTERVAL '20' SECOND) AS wt, COUNT(*) AS n, MAX(bidder) AS b
FROM bids GROUP BY auction, HOP(ts, INTERVAL '10' SECOND, INTERVAL '20' SECOND);
