CREATE TABLE bids (auction INT, bidder STRING, price DOUBLE, quantity INT, fee DECIMAL(10, 2), ok BOOLEAN, ts TIMESTAMP(3),
  WATERMARK FOR ts AS ts - INTERVAL '1' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/data/bids.json', 'format' = 'json');
SELECT window_start, window_end, bidder, COUNT(*) AS n, MAX(price) AS p
FROM TABLE(SESSION(DATA => TABLE bids PARTITION BY bidder, TIMECOL => DESCRIPTOR(ts), GAP => INTERVAL '3' SECOND)) GROUP BY window_start, window_end, bidder;
