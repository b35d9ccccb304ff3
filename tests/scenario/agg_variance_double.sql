CREATE TABLE bids (auction INT, bidder STRING, price DOUBLE, quantity INT, fee DECIMAL(10, 2), ok BOOLEAN, ts TIMESTAMP(3),
  WATERMARK FOR ts AS ts - INTERVAL '1' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/data/bids.json', 'format' = 'json');
SELECT auction, ROUND(STDDEV_POP(price), 3) AS a, ROUND(STDDEV_SAMP(price), 3) AS b, ROUND(VAR_POP(price), 3) AS c, ROUND(VAR_SAMP(price), 3) AS d, ROUND(STDDEV(price), 3) AS e, ROUND(VARIANCE(price), 3) AS f
FROM bids GROUP BY auction;
