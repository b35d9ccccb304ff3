CREATE TABLE bids (auction INT, bidder STRING, price DOUBLE, quantity INT, fee DECIMAL(10, 2), ok BOOLEAN, ts TIMESTAMP(3),
  WATERMARK FOR ts AS ts - INTERVAL '1' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/data/bids.json', 'format' = 'json');
SELECT n, COUNT(*) AS auctions, MAX(s) AS m, MIN(s) AS l, SUM(s) AS t FROM (SELECT auction, COUNT(*) / 10 AS n, SUM(quantity) AS s FROM bids GROUP BY auction) GROUP BY n;
