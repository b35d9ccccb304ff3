CREATE TABLE bids (auction INT, bidder STRING, price DOUBLE, quantity INT, fee DECIMAL(10, 2), ok BOOLEAN, ts TIMESTAMP(3),
  WATERMARK FOR ts AS ts - INTERVAL '1' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/data/bids.json', 'format' = 'json');
SELECT JSON_OBJECTAGG(bidder VALUE quantity ABSENT ON NULL) AS o, JSON_OBJECTAGG(bidder VALUE price NULL ON NULL) AS p
FROM bids WHERE auction = 3 AND bidder IS NOT NULL AND ts < TIMESTAMP '2024-01-01 00:00:03.000';
