CREATE TABLE bids (auction INT, bidder STRING, price DOUBLE, quantity INT, fee DECIMAL(10, 2), ok BOOLEAN, ts TIMESTAMP(3),
  WATERMARK FOR ts AS ts - INTERVAL '1' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/data/bids.json', 'format' = 'json');
SELECT auction, bidder FROM bids WHERE bidder IN ('ana', 'dan') AND auction NOT IN (1, 2) AND bidder NOT LIKE '_a%' AND price BETWEEN 5 AND 50;
