CREATE TABLE bids (auction INT, bidder STRING, price DOUBLE, quantity INT, fee DECIMAL(10, 2), ok BOOLEAN, ts TIMESTAMP(3),
  WATERMARK FOR ts AS ts - INTERVAL '1' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/data/bids.json', 'format' = 'json');
SELECT auction, ts, LAG(quantity) OVER w AS a, LAG(quantity, 3) OVER w AS b, LAG(auction * 2, 2, -1) OVER w AS c, LAG(ts, 0) OVER w AS d FROM bids WINDOW w AS (PARTITION BY auction, bidder ORDER BY ts);
