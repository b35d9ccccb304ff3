CREATE TABLE bids (auction INT, bidder STRING, price DOUBLE, quantity INT, fee DECIMAL(10, 2), ok BOOLEAN, ts TIMESTAMP(3),
  WATERMARK FOR ts AS ts - INTERVAL '1' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/data/bids.json', 'format' = 'json');
SELECT auction, STDDEV_POP(quantity) AS a, STDDEV_SAMP(quantity) AS b, VAR_POP(quantity) AS c, VAR_SAMP(quantity) AS d, VAR_POP(CAST(quantity AS BIGINT)) AS e, STDDEV_SAMP(CAST(quantity AS FLOAT)) AS f
FROM bids GROUP BY auction;
