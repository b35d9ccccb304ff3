CREATE TABLE bids (auction INT, bidder STRING, price DOUBLE, quantity INT, fee DECIMAL(10, 2), ok BOOLEAN, ts TIMESTAMP(3),
  WATERMARK FOR ts AS ts - INTERVAL '1' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/data/bids.json', 'format' = 'json');
SELECT auction, MIN(CAST(ts AS DATE)) AS d, MAX(CAST(ts AS TIME)) AS t, MIN(ok) AS o, MAX(fee) AS f, MIN(CAST(quantity AS TINYINT)) AS q, MAX(CAST(price AS FLOAT)) AS p, MIN(CAST(bidder AS VARCHAR(2))) AS v
FROM bids GROUP BY auction;
