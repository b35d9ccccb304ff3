CREATE TABLE bids (auction INT, bidder STRING, price DOUBLE, quantity INT, fee DECIMAL(10, 2), ok BOOLEAN, ts TIMESTAMP(3),
  WATERMARK FOR ts AS ts - INTERVAL '1' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/data/bids.json', 'format' = 'json');
SELECT auction, ts, FIRST_VALUE(fee) OVER w AS f, LAST_VALUE(fee) OVER w AS l FROM bids WINDOW w AS (PARTITION BY bidder ORDER BY ts RANGE BETWEEN INTERVAL '3' SECOND PRECEDING AND CURRENT ROW);
