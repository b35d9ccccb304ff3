CREATE TABLE bids (auction INT, bidder STRING, price DOUBLE, quantity INT, fee DECIMAL(10, 2), ok BOOLEAN, ts TIMESTAMP(3),
  WATERMARK FOR ts AS ts - INTERVAL '1' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/data/bids.json', 'format' = 'json');
SELECT JSON_ARRAYAGG(quantity) AS a, JSON_OBJECTAGG(bidder VALUE quantity) AS o, ARRAY_AGG(quantity) AS r, COLLECT(quantity) AS c, LISTAGG(bidder) AS l, COUNT(*) AS n
FROM bids WHERE auction = 99;
