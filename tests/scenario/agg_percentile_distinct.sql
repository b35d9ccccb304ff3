CREATE TABLE bids (auction INT, bidder STRING, price DOUBLE, quantity INT, fee DECIMAL(10, 2), ok BOOLEAN, ts TIMESTAMP(3),
  WATERMARK FOR ts AS ts - INTERVAL '1' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/data/bids.json', 'format' = 'json');
SELECT auction, PERCENTILE(DISTINCT quantity, 0.5) AS a, PERCENTILE(price, 0.5) FILTER (WHERE ok) AS b
FROM bids GROUP BY auction;
