SET 'table.local-time-zone' = 'Europe/Bucharest';
CREATE TABLE bids (auction INT, bidder STRING, price DOUBLE, quantity INT, fee DECIMAL(10, 2), ok BOOLEAN, ts TIMESTAMP(3), lz AS CAST(ts AS TIMESTAMP_LTZ(3)),
  WATERMARK FOR lz AS lz - INTERVAL '1' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/data/bids.json', 'format' = 'json');
SELECT window_start, window_end, auction, COUNT(*) AS n
FROM TABLE(SESSION(TABLE bids PARTITION BY auction, DESCRIPTOR(lz), INTERVAL '2' SECOND)) GROUP BY window_start, window_end, auction;
