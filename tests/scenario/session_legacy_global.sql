CREATE TABLE bids (auction INT, bidder STRING, price DOUBLE, quantity INT, fee DECIMAL(10, 2), ok BOOLEAN, ts TIMESTAMP(3),
  WATERMARK FOR ts AS ts - INTERVAL '1' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/data/bids.json', 'format' = 'json');
SELECT SESSION_START(ts, INTERVAL '0.7' SECOND) AS ws, SUM(fee) AS f, COUNT(price) AS p
FROM bids WHERE auction <> 3 GROUP BY SESSION(ts, INTERVAL '0.7' SECOND);
