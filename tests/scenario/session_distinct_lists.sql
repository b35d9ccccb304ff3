CREATE TABLE bids (auction INT, bidder STRING, price DOUBLE, quantity INT, fee DECIMAL(10, 2), ok BOOLEAN, ts TIMESTAMP(3),
  WATERMARK FOR ts AS ts - INTERVAL '1' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/data/bids.json', 'format' = 'json');
SELECT window_start, auction, ARRAY_SORT(ARRAY_AGG(DISTINCT bidder)) AS b, ARRAY_SORT(SPLIT(LISTAGG(DISTINCT bidder), ',')) AS l, COUNT(DISTINCT quantity) AS q, AVG(DISTINCT price) AS a
FROM TABLE(SESSION(TABLE bids PARTITION BY auction, DESCRIPTOR(ts), INTERVAL '2' SECOND)) GROUP BY window_start, window_end, auction;
