CREATE TABLE bids (auction INT, bidder STRING, price DOUBLE, quantity INT, fee DECIMAL(10, 2), ok BOOLEAN, ts TIMESTAMP(3),
  WATERMARK FOR ts AS ts - INTERVAL '1' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/data/bids.json', 'format' = 'json');
CREATE TABLE people (name STRING, country STRING, tags ARRAY<STRING>, address ROW<city STRING, zip INT>, scores MAP<STRING, INT>, items ARRAY<ROW<sku STRING, n INT>>)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/data/people.json', 'format' = 'json');
SELECT ok, COUNT(DISTINCT bidder) FILTER (WHERE quantity > 0) AS a, SUM(DISTINCT quantity) FILTER (WHERE auction > 1) AS b, AVG(DISTINCT quantity) AS c, MIN(DISTINCT price) AS d, MAX(price) FILTER (WHERE quantity > 1) AS e, COUNT(*) FILTER (WHERE bidder IS NULL) AS f FROM bids GROUP BY ok;
