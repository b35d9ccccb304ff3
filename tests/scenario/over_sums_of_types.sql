CREATE TABLE bids (auction INT, bidder STRING, price DOUBLE, quantity INT, fee DECIMAL(10, 2), ok BOOLEAN, ts TIMESTAMP(3),
  WATERMARK FOR ts AS ts - INTERVAL '1' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/data/bids.json', 'format' = 'json');
SELECT ts, SUM(CAST(quantity AS TINYINT)) OVER w AS t, SUM(CAST(quantity AS BIGINT)) OVER w AS b, AVG(CAST(quantity AS SMALLINT)) OVER w AS a FROM bids WINDOW w AS (PARTITION BY auction ORDER BY ts ROWS BETWEEN 5 PRECEDING AND CURRENT ROW);
