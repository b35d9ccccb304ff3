CREATE TABLE bids (auction INT, bidder STRING, price DOUBLE, quantity INT, fee DECIMAL(10, 2), ok BOOLEAN, ts TIMESTAMP(3),
  WATERMARK FOR ts AS ts - INTERVAL '1' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/data/bids.json', 'format' = 'json');
SELECT auction, SESSION_START(ts, INTERVAL '2' SECOND) AS ws, MAX(bidder) AS b, AVG(price) AS p, LISTAGG(bidder) AS l
FROM bids GROUP BY auction, SESSION(ts, INTERVAL '2' SECOND);
