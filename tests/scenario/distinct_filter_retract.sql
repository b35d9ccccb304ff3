CREATE TABLE bids (auction INT, bidder STRING, price DOUBLE, quantity INT, fee DECIMAL(10, 2), ok BOOLEAN, ts TIMESTAMP(3),
  WATERMARK FOR ts AS ts - INTERVAL '1' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/data/bids.json', 'format' = 'json');
CREATE TABLE people (name STRING, country STRING, tags ARRAY<STRING>, address ROW<city STRING, zip INT>, scores MAP<STRING, INT>, items ARRAY<ROW<sku STRING, n INT>>)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/data/people.json', 'format' = 'json');
SELECT auction, COUNT(DISTINCT q) AS a, COUNT(DISTINCT q) FILTER (WHERE q > 3) AS b, SUM(DISTINCT q) FILTER (WHERE bidder IS NOT NULL) AS c, AVG(q) FILTER (WHERE q < 100) AS d, MIN(DISTINCT q) AS e, MAX(q) FILTER (WHERE q < 20) AS f, COUNT(*) FILTER (WHERE q IS NULL) AS g, STDDEV_POP(q) FILTER (WHERE q > 0) AS h, VAR_SAMP(DISTINCT q) AS i FROM (SELECT auction, bidder, SUM(quantity) AS q FROM bids GROUP BY auction, bidder) AS x GROUP BY auction;
