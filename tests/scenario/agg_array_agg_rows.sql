CREATE TABLE bids (auction INT, bidder STRING, price DOUBLE, quantity INT, fee DECIMAL(10, 2), ok BOOLEAN, ts TIMESTAMP(3),
  WATERMARK FOR ts AS ts - INTERVAL '1' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/data/bids.json', 'format' = 'json');
SELECT ARRAY_AGG(r) AS r
FROM (SELECT ROW(bidder, quantity) AS r FROM bids WHERE auction = 2 AND ts < TIMESTAMP '2024-01-01 00:00:05.000');
