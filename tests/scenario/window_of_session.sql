CREATE TABLE bids (auction INT, bidder STRING, price DOUBLE, quantity INT, fee DECIMAL(10, 2), ok BOOLEAN, ts TIMESTAMP(3),
  WATERMARK FOR ts AS ts - INTERVAL '1' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/data/bids.json', 'format' = 'json');
CREATE VIEW per_session AS SELECT auction, window_time AS wt, COUNT(*) AS n FROM TABLE(SESSION(TABLE bids PARTITION BY auction, DESCRIPTOR(ts), INTERVAL '1' SECOND)) GROUP BY window_start, window_end, window_time, auction;
SELECT window_start, window_end, COUNT(*) AS sessions, MAX(n) AS longest
FROM TABLE(TUMBLE(TABLE per_session, DESCRIPTOR(wt), INTERVAL '20' SECOND)) GROUP BY window_start, window_end;
