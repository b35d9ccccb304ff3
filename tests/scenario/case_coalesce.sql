CREATE TABLE bids (auction INT, bidder STRING, price DOUBLE, quantity INT, fee DECIMAL(10, 2), ok BOOLEAN, ts TIMESTAMP(3),
  WATERMARK FOR ts AS ts - INTERVAL '1' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/data/bids.json', 'format' = 'json');
SELECT CASE WHEN quantity < 0 THEN 'neg' WHEN quantity > 2 THEN 'many' ELSE 'few' END AS c, COALESCE(price, -1) AS p, NULLIF(auction, 3) AS n, IF(ok, 1, 0) AS o, CASE auction WHEN 1 THEN 1.5 WHEN 2 THEN 2 END AS x FROM bids;
