CREATE TABLE bids (auction INT, bidder STRING, price DOUBLE, quantity INT, fee DECIMAL(10, 2), ok BOOLEAN, ts TIMESTAMP(3),
  WATERMARK FOR ts AS ts - INTERVAL '1' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/data/bids.json', 'format' = 'json');
CREATE TABLE people (name STRING, country STRING, tags ARRAY<STRING>, address ROW<city STRING, zip INT>, scores MAP<STRING, INT>, items ARRAY<ROW<sku STRING, n INT>>)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/data/people.json', 'format' = 'json');
SELECT auction, CASE WHEN price > (SELECT AVG(price) FROM bids WHERE quantity = 10) THEN 'high' WHEN price IS NULL THEN 'none' ELSE 'low' END AS c FROM bids WHERE auction = 3;
