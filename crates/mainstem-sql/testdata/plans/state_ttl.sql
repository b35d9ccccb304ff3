CREATE TABLE bids (auction INT, bidder STRING, price DOUBLE, quantity INT, ts TIMESTAMP(3), at AS PROCTIME(), WATERMARK FOR ts AS ts - INTERVAL '1' SECOND)
  WITH ('connector' = 'kafka', 'format' = 'json');
SET 'table.exec.state.ttl' = '1 h';
SELECT /*+ STATE_TTL('b' = '10 s') */ auction, SUM(n) AS n FROM (SELECT auction, bidder, COUNT(*) AS n FROM bids GROUP BY auction, bidder) AS b GROUP BY auction;
SELECT a.auction FROM bids AS a JOIN bids AS b ON a.auction = b.quantity;
SELECT * FROM (SELECT auction, bidder, ROW_NUMBER() OVER (PARTITION BY auction ORDER BY ts DESC) AS rn FROM bids) WHERE rn = 1;
SELECT /*+ STATE_TTL('a' = '1 d') */ a.auction FROM bids AS a JOIN bids AS b ON a.auction = b.quantity;
SELECT /*+ STATE_TTL('a' = '1 d', 'c' = '2 d', 'b' = '0 s') */ a.auction FROM bids AS a, bids AS b, bids AS c WHERE a.auction = b.quantity AND c.auction = a.auction;
SELECT /*+ STATE_TTL('bids' = '1 d') */ DISTINCT auction FROM bids;
SELECT /*+ STATE_TTL('a' = '1 d') */ a.auction FROM bids AS a LEFT JOIN bids AS b ON a.auction = b.quantity;
