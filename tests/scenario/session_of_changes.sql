CREATE TABLE bids (auction INT, bidder STRING, price DOUBLE, quantity INT, fee DECIMAL(10, 2), ok BOOLEAN, ts TIMESTAMP(3),
  WATERMARK FOR ts AS ts - INTERVAL '1' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/data/bids.json', 'format' = 'json');
CREATE VIEW latest AS SELECT auction, MAX(ts) AS ts FROM bids GROUP BY auction;
SELECT window_start, COUNT(*) AS n
FROM TABLE(SESSION(TABLE latest, DESCRIPTOR(ts), INTERVAL '2' SECOND)) GROUP BY window_start, window_end;
