CREATE TABLE bids (auction INT, bidder STRING, price DOUBLE, quantity INT, fee DECIMAL(10, 2), ok BOOLEAN, ts TIMESTAMP(3),
  WATERMARK FOR ts AS ts - INTERVAL '1' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/data/bids.json', 'format' = 'json');
SELECT PERCENTILE(n, 0.5) AS a, PERCENTILE(m, 0.75) AS b
FROM (SELECT auction, COUNT(*) AS n, MAX(price) AS m FROM bids GROUP BY auction);
