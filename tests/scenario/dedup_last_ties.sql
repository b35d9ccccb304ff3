CREATE TABLE bids (auction INT, bidder STRING, price DOUBLE, quantity INT, fee DECIMAL(10, 2), ok BOOLEAN, ts TIMESTAMP(3),
  WATERMARK FOR ts AS ts - INTERVAL '1' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/data/bids.json', 'format' = 'json');
SELECT ok, bidder, auction, price, ts FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY ok, CAST(ts AS TIMESTAMP(0)) ORDER BY ts DESC) AS rn FROM bids) WHERE rn = 1;
