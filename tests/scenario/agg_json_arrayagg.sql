CREATE TABLE bids (auction INT, bidder STRING, price DOUBLE, quantity INT, fee DECIMAL(10, 2), ok BOOLEAN, ts TIMESTAMP(3),
  WATERMARK FOR ts AS ts - INTERVAL '1' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/data/bids.json', 'format' = 'json');
SELECT auction, JSON_ARRAYAGG(quantity) AS a, JSON_ARRAYAGG(bidder NULL ON NULL) AS b
FROM bids WHERE auction IN (1, 6) AND ts < TIMESTAMP '2024-01-01 00:00:20.000' GROUP BY auction;
