CREATE TABLE bids (auction INT, bidder STRING, price DOUBLE, quantity INT, fee DECIMAL(10, 2), ok BOOLEAN, ts TIMESTAMP(3),
  WATERMARK FOR ts AS ts - INTERVAL '1' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/data/bids.json', 'format' = 'json');
SELECT window_start, window_end, auction, PERCENTILE(price, 0.5) AS p, PERCENTILE(DISTINCT quantity, 0.25) AS d, VAR_POP(quantity) AS v, ROUND(STDDEV_SAMP(price) FILTER (WHERE quantity > 0), 3) AS s, COLLECT(DISTINCT ok) FILTER (WHERE ok) AS c
FROM TABLE(SESSION(TABLE bids PARTITION BY auction, DESCRIPTOR(ts), INTERVAL '2' SECOND)) GROUP BY window_start, window_end, auction;
