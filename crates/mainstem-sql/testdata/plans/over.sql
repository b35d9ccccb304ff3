CREATE TABLE bids (auction BIGINT, bidder BIGINT, price BIGINT, extra STRING, ts TIMESTAMP(3), pt AS PROCTIME(),
  WATERMARK FOR ts AS ts - INTERVAL '1' SECOND)
  WITH ('connector' = 'filesystem', 'format' = 'json');
CREATE TABLE sums (auction BIGINT, ts TIMESTAMP(3), s BIGINT) WITH ('connector' = 'kafka', 'topic' = 'sums', 'format' = 'json');
INSERT INTO sums SELECT auction, ts, SUM(price) OVER (PARTITION BY auction ORDER BY ts RANGE BETWEEN INTERVAL '10' SECOND PRECEDING AND CURRENT ROW) FROM bids WHERE bidder > 5;
SELECT auction, AVG(price) OVER w AS a, COUNT(*) OVER (w ROWS BETWEEN 2 PRECEDING AND CURRENT ROW) AS n, LAG(price, 2, 0) OVER w AS p FROM bids WINDOW w AS (PARTITION BY auction ORDER BY ts);
SELECT auction, COUNT(DISTINCT bidder) FILTER (WHERE price > 10) OVER (ORDER BY pt) AS d FROM bids;
SELECT auction, n FROM (SELECT auction, bidder, price, COUNT(*) OVER (PARTITION BY auction ORDER BY ts) AS n, SUM(price) OVER (PARTITION BY auction ORDER BY ts) AS unread FROM bids) WHERE auction > 7 AND n > 3;
SELECT auction, LEAD(price) OVER (PARTITION BY auction ORDER BY ts) AS l, NTILE(4) OVER (PARTITION BY bidder ORDER BY price DESC) AS t FROM bids;
SELECT auction, s, SUM(SUM(price)) OVER (ORDER BY auction) AS running FROM (SELECT auction, price, price AS s FROM bids) GROUP BY auction, s;
SELECT auction, RANK() OVER w AS r, price FROM bids WINDOW w AS (PARTITION BY auction ORDER BY ts) QUALIFY r % 2 = 1;
SELECT auction, price FROM bids QUALIFY SUM(price) OVER (PARTITION BY auction ORDER BY ts ROWS 3 PRECEDING) > 100 AND auction < 5;
