CREATE TABLE bids (auction INT, bidder STRING, price DOUBLE, quantity INT, fee DECIMAL(10, 2), ok BOOLEAN, ts TIMESTAMP(3),
  WATERMARK FOR ts AS ts - INTERVAL '1' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/data/bids.json', 'format' = 'json');
SELECT ts + INTERVAL '1' DAY AS d, EXTRACT(SECOND FROM ts) AS s, DATE_FORMAT(ts, 'yyyy-MM-dd HH:mm') AS f, FLOOR(ts TO MINUTE) AS fl, TIMESTAMPDIFF(SECOND, TIMESTAMP '2024-01-01 00:00:00', ts) AS diff, CAST(ts AS DATE) AS dt FROM bids;
