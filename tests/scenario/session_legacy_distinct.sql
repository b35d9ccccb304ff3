CREATE TABLE bids (auction INT, bidder STRING, price DOUBLE, quantity INT, fee DECIMAL(10, 2), ok BOOLEAN, ts TIMESTAMP(3),
  WATERMARK FOR ts AS ts - INTERVAL '1' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/data/bids.json', 'format' = 'json');
SELECT auction, SESSION_START(ts, INTERVAL '3' SECOND) AS ws, COUNT(DISTINCT bidder) AS b, SUM(DISTINCT quantity) AS q, COUNT(*) FILTER (WHERE ok) AS o
FROM bids GROUP BY auction, SESSION(ts, INTERVAL '3' SECOND);
