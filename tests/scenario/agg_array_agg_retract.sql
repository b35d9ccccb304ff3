CREATE TABLE bids (auction INT, bidder STRING, price DOUBLE, quantity INT, fee DECIMAL(10, 2), ok BOOLEAN, ts TIMESTAMP(3),
  WATERMARK FOR ts AS ts - INTERVAL '1' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/data/bids.json', 'format' = 'json');
SELECT ARRAY_SORT(ARRAY_AGG(n)) AS n, ARRAY_SORT(ARRAY_AGG(DISTINCT m)) AS m
FROM (SELECT auction, COUNT(*) AS n, MAX(quantity) AS m FROM bids GROUP BY auction);
