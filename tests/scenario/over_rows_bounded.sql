CREATE TABLE bids (auction INT, bidder STRING, price DOUBLE, quantity INT, fee DECIMAL(10, 2), ok BOOLEAN, ts TIMESTAMP(3),
  WATERMARK FOR ts AS ts - INTERVAL '1' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/data/bids.json', 'format' = 'json');
SELECT auction, ts, SUM(quantity) OVER w AS s, COUNT(price) OVER w AS c, MIN(price) OVER w AS lo, MAX(fee) OVER w AS hi, AVG(quantity) OVER w AS a FROM bids WINDOW w AS (PARTITION BY auction ORDER BY ts ROWS BETWEEN 3 PRECEDING AND CURRENT ROW);
