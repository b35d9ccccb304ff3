CREATE TABLE bids (auction INT, bidder STRING, price DOUBLE, quantity INT, fee DECIMAL(10, 2), ok BOOLEAN, ts TIMESTAMP(3),
  WATERMARK FOR ts AS ts - INTERVAL '1' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/data/bids.json', 'format' = 'json');
SELECT TUMBLE_START(rt, INTERVAL '10' SECOND) AS w, COUNT(*) AS n, SUM(a) AS a, SUM(b) AS b FROM bids MATCH_RECOGNIZE (
  PARTITION BY auction ORDER BY ts
  MEASURES A.quantity AS a, B.quantity AS b, MATCH_ROWTIME() AS rt
  AFTER MATCH SKIP PAST LAST ROW
  PATTERN (A B)
  DEFINE B AS B.quantity > 0
) AS m GROUP BY TUMBLE(rt, INTERVAL '10' SECOND);
