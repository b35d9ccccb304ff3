CREATE TABLE bids (auction INT, bidder STRING, price DOUBLE, quantity INT, ts TIMESTAMP(3), at AS PROCTIME(), WATERMARK FOR ts AS ts - INTERVAL '1' SECOND)
  WITH ('connector' = 'kafka', 'format' = 'json');
SET 'table.exec.state.ttl' = '1 h';
SELECT /*+ STATE_TTL('b' = '10 s') */ auction, SUM(n) AS n FROM (SELECT auction, bidder, COUNT(*) AS n FROM bids GROUP BY auction, bidder) AS b GROUP BY auction;
SELECT a.auction FROM bids AS a JOIN bids AS b ON a.auction = b.quantity;
