CREATE TABLE bids (auction INT, bidder STRING, price DOUBLE, quantity INT, fee DECIMAL(10, 2), ok BOOLEAN, ts TIMESTAMP(3),
  WATERMARK FOR ts AS ts - INTERVAL '1' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/data/bids.json', 'format' = 'json');
SELECT STDDEV_POP(price) AS a, VAR_SAMP(price) AS b, VAR_SAMP(quantity) AS c, COUNT(*) AS n
FROM bids WHERE auction = 99;
