CREATE TABLE bids (auction INT, bidder STRING, price DOUBLE, quantity INT, fee DECIMAL(10, 2), ok BOOLEAN, ts TIMESTAMP(3),
  WATERMARK FOR ts AS ts - INTERVAL '1' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/data/bids.json', 'format' = 'json');
CREATE TABLE people (name STRING, country STRING, tags ARRAY<STRING>, address ROW<city STRING, zip INT>, scores MAP<STRING, INT>, items ARRAY<ROW<sku STRING, n INT>>)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/data/people.json', 'format' = 'json');
SELECT p.name, l.auction, l.q FROM people AS p, LATERAL (SELECT b.auction, c.quantity AS q FROM bids AS b JOIN bids AS c ON b.auction = c.auction AND c.price > b.price WHERE b.bidder = p.name AND b.quantity = 3 AND c.quantity = -4) AS l;
