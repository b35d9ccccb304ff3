CREATE TABLE bids (auction INT, bidder STRING, price DOUBLE, quantity INT, fee DECIMAL(10, 2), ok BOOLEAN, ts TIMESTAMP(3),
  WATERMARK FOR ts AS ts - INTERVAL '1' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/data/bids.json', 'format' = 'json');
SELECT * FROM bids MATCH_RECOGNIZE (
  PARTITION BY auction ORDER BY ts
  MEASURES SUM(A.quantity) AS s, SUM(A.quantity * 2 + 1) AS s2, COUNT(A.price) AS n, COUNT(*) AS rows_all, MIN(A.price) AS low,
    MAX(A.fee) AS high, AVG(A.quantity) AS mean, SUM(quantity) AS all_quantity, SUM(B.quantity) AS sb, COUNT(C.price) AS nc,
    SUM(C.price) AS sc, FIRST(A.bidder) || '-' || LAST(A.bidder) AS names
  AFTER MATCH SKIP PAST LAST ROW
  PATTERN (A+ B C*? D)
  DEFINE A AS SUM(A.quantity) < 6, B AS B.quantity < SUM(A.quantity), C AS COUNT(*) < 6, D AS SUM(quantity) > 3
) AS m;
