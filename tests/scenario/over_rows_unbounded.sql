CREATE TABLE bids (auction INT, bidder STRING, price DOUBLE, quantity INT, fee DECIMAL(10, 2), ok BOOLEAN, ts TIMESTAMP(3),
  WATERMARK FOR ts AS ts - INTERVAL '1' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/data/bids.json', 'format' = 'json');
SELECT auction, bidder, ts, SUM(quantity) OVER w AS s, MAX(fee) OVER w AS hi, MIN(bidder) OVER w AS b FROM bids WINDOW w AS (PARTITION BY auction, bidder ORDER BY ts ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW);
