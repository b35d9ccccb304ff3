CREATE TABLE bids (auction INT, bidder STRING, price DOUBLE, quantity INT, fee DECIMAL(10, 2), ok BOOLEAN, ts TIMESTAMP(3),
  WATERMARK FOR ts AS ts - INTERVAL '1' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/data/bids.json', 'format' = 'json');
SELECT auction, FIRST_VALUE(m) AS f, LAST_VALUE(m) AS l
FROM (SELECT auction, MAX(quantity) AS m FROM bids GROUP BY auction) GROUP BY auction;
