CREATE TABLE bids (auction INT, bidder STRING, price DOUBLE, quantity INT, fee DECIMAL(10, 2), ok BOOLEAN, ts TIMESTAMP(3),
  WATERMARK FOR ts AS ts - INTERVAL '1' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/data/bids.json', 'format' = 'json');
WITH s AS (SELECT auction, window_start, window_end, window_time, SUM(quantity) AS q
FROM TABLE(SESSION(TABLE bids PARTITION BY auction, DESCRIPTOR(ts), INTERVAL '2' SECOND)) GROUP BY auction, window_start, window_end, window_time) SELECT window_start, window_end, SUM(q) AS q, COUNT(*) AS n FROM TABLE(SESSION(TABLE s, DESCRIPTOR(window_time), INTERVAL '1' SECOND)) GROUP BY window_start, window_end;
