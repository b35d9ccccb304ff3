CREATE TABLE bids (auction INT, bidder STRING, price DOUBLE, quantity INT, fee DECIMAL(10, 2), ok BOOLEAN, ts TIMESTAMP(3),
  WATERMARK FOR ts AS ts - INTERVAL '1' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/data/bids.json', 'format' = 'json');
SELECT auction * 2 AS k, ts, SUM(quantity * 10 + 1) OVER (PARTITION BY UPPER(bidder), auction / 2 ORDER BY ts ROWS BETWEEN 2 PRECEDING AND CURRENT ROW) - 1 AS s FROM bids WHERE ok IS NOT FALSE;
