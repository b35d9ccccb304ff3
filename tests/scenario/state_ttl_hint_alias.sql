CREATE TABLE bids (auction INT, bidder STRING, price DOUBLE, quantity INT, fee DECIMAL(10, 2), ok BOOLEAN, ts TIMESTAMP(3),
  WATERMARK FOR ts AS ts - INTERVAL '1' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/data/bids.json', 'format' = 'json');
SELECT /*+ STATE_TTL('b' = '1 d') */ n, COUNT(*) AS c
FROM (SELECT auction, COUNT(*) AS n FROM bids GROUP BY auction) AS b GROUP BY n;
