CREATE TABLE bids (auction BIGINT, bidder BIGINT, price BIGINT, channel STRING, ts TIMESTAMP(3), pt AS PROCTIME(),
  WATERMARK FOR ts AS ts - INTERVAL '1' SECOND)
  WITH ('connector' = 'kafka', 'topic' = 'bids', 'format' = 'json');
CREATE TABLE tops (auction BIGINT, place BIGINT, bidder BIGINT, PRIMARY KEY (auction, place) NOT ENFORCED)
  WITH ('connector' = 'upsert-kafka', 'topic' = 'tops', 'format' = 'json');
INSERT INTO tops SELECT auction, rn, bidder FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY auction ORDER BY price DESC) AS rn FROM bids) WHERE rn <= 10 AND channel <> 'x' AND auction > 7;
SELECT auction, bidder FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY auction ORDER BY price DESC, ts) AS rn FROM bids) WHERE 4 > rn AND rn > 1;
SELECT auction, price, rn FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY auction ORDER BY price DESC) AS rn FROM bids) WHERE rn = 1;
SELECT bidder, price FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY bidder ORDER BY ts) AS rn FROM bids) WHERE rn = 1;
SELECT bidder, price FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY bidder ORDER BY ts DESC) AS rn FROM bids) WHERE rn <= 1;
SELECT bidder, price FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY bidder ORDER BY pt) AS rn FROM bids) WHERE rn = 1;
SELECT bidder, price FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY bidder ORDER BY pt DESC) AS rn FROM bids) WHERE rn = 1;
SELECT window_start, bidder, price FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY window_start, window_end ORDER BY price DESC) AS rn
  FROM TABLE(TUMBLE(TABLE bids, DESCRIPTOR(ts), INTERVAL '10' SECOND))) WHERE rn <= 3;
SELECT auction, n, rn FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY auction ORDER BY n DESC) AS rn
  FROM (SELECT auction, bidder, COUNT(*) AS n FROM bids GROUP BY auction, bidder)) WHERE rn <= 2;
SELECT auction, price FROM bids QUALIFY RANK() OVER (PARTITION BY auction ORDER BY price DESC) <= 2;
SELECT auction, price, rn FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY auction ORDER BY price DESC) AS rn FROM bids) WHERE rn <= auction;
SELECT auction, price, rn FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY auction ORDER BY price DESC) AS rn FROM bids) WHERE rn % 2 = 0 AND rn > 3;
SELECT auction, price FROM bids ORDER BY price DESC LIMIT 5;
SELECT auction, price FROM bids ORDER BY price DESC LIMIT 5 OFFSET 2;
SELECT auction, COUNT(*) AS n FROM bids GROUP BY auction LIMIT 3;
SELECT ts, auction FROM bids ORDER BY ts, auction;
SELECT a.bidder, b.price FROM bids AS a JOIN (SELECT *, ROW_NUMBER() OVER (PARTITION BY auction ORDER BY price DESC) AS rn FROM bids) AS b
  ON a.auction = b.auction WHERE b.rn <= 2;
SELECT auction, rn FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY auction ORDER BY price DESC) AS rn,
  RANK() OVER (PARTITION BY auction ORDER BY price DESC) AS r FROM bids) WHERE rn <= 2;
