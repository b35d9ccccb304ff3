CREATE TABLE bids (auction INT, bidder STRING, price DOUBLE, quantity INT, fee DECIMAL(10, 2), ok BOOLEAN, ts TIMESTAMP(3),
  WATERMARK FOR ts AS ts - INTERVAL '1' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/data/bids.json', 'format' = 'json');
SELECT auction, SUM(CAST(quantity AS TINYINT)) AS a, SUM(CAST(quantity AS SMALLINT)) AS b, SUM(CAST(quantity AS BIGINT)) AS c, SUM(CAST(price AS FLOAT)) AS d, AVG(CAST(quantity AS TINYINT)) AS e, AVG(CAST(price AS FLOAT)) AS f, AVG(fee) AS g, SUM(CAST(fee AS DECIMAL(38, 10))) AS h
FROM bids GROUP BY auction;
