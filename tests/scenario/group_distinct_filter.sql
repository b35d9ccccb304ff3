CREATE TABLE bids (auction INT, bidder STRING, price DOUBLE, quantity INT, fee DECIMAL(10, 2), ok BOOLEAN, ts TIMESTAMP(3),
  WATERMARK FOR ts AS ts - INTERVAL '1' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/data/bids.json', 'format' = 'json');
SELECT auction, COUNT(DISTINCT bidder) AS d, COUNT(*) FILTER (WHERE ok) AS k, SUM(quantity) FILTER (WHERE price > 5) AS s, COUNT(DISTINCT quantity) FILTER (WHERE ok) AS dk FROM bids GROUP BY auction;
