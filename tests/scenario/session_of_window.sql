CREATE TABLE bids (auction INT, bidder STRING, price DOUBLE, quantity INT, fee DECIMAL(10, 2), ok BOOLEAN, ts TIMESTAMP(3),
  WATERMARK FOR ts AS ts - INTERVAL '1' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/data/bids.json', 'format' = 'json');
SELECT auction, SESSION_START(wt, INTERVAL '6' SECOND) AS ws, SESSION_END(wt, INTERVAL '6' SECOND) AS we, SUM(n) AS n
FROM (SELECT auction, window_time AS wt, COUNT(*) AS n FROM TABLE(TUMBLE(TABLE bids, DESCRIPTOR(ts), INTERVAL '2' SECOND)) GROUP BY auction, window_start, window_end, window_time) GROUP BY auction, SESSION(wt, INTERVAL '6' SECOND);
