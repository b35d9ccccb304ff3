CREATE TABLE bids (auction INT, bidder STRING, price DOUBLE, quantity INT, fee DECIMAL(10, 2), ok BOOLEAN, ts TIMESTAMP(3),
  WATERMARK FOR ts AS ts - INTERVAL '1' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/data/bids.json', 'format' = 'json');
SELECT auction, ts, COUNT(DISTINCT bidder) OVER w AS d, SUM(DISTINCT quantity) OVER w AS s, COUNT(DISTINCT CASE WHEN ok THEN price END) OVER w AS n FROM bids WINDOW w AS (PARTITION BY auction ORDER BY ts ROWS BETWEEN 4 PRECEDING AND CURRENT ROW);
