CREATE TABLE bids (auction INT, bidder STRING, price DOUBLE, quantity INT, fee DECIMAL(10, 2), ok BOOLEAN, ts TIMESTAMP(3),
  WATERMARK FOR ts AS ts - INTERVAL '1' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/data/bids.json', 'format' = 'json');
CREATE TABLE people (name STRING, country STRING, tags ARRAY<STRING>, address ROW<city STRING, zip INT>, scores MAP<STRING, INT>, items ARRAY<ROW<sku STRING, n INT>>)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/data/people.json', 'format' = 'json');
SELECT DISTINCT b.bidder FROM bids AS b WHERE b.bidder IS NOT NULL AND NOT EXISTS (SELECT 1 FROM (SELECT DISTINCT auction FROM bids WHERE auction < 4) AS a WHERE NOT EXISTS (SELECT 1 FROM bids AS c WHERE c.auction = a.auction AND c.bidder = b.bidder));
