CREATE TABLE bids (auction INT, bidder STRING, price DOUBLE, quantity INT, fee DECIMAL(10, 2), ok BOOLEAN, ts TIMESTAMP(3),
  WATERMARK FOR ts AS ts - INTERVAL '1' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/data/bids.json', 'format' = 'json');
SELECT UPPER(bidder) AS u, CHAR_LENGTH(bidder) AS l, bidder || '-' || CAST(auction AS STRING) AS c, SUBSTRING(bidder, 2, 2) AS s, bidder LIKE '%a%' AS k, REPLACE(bidder, 'a', 'A') AS r FROM bids;
