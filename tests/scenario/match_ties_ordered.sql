CREATE TABLE bids (auction INT, bidder STRING, price DOUBLE, quantity INT, fee DECIMAL(10, 2), ok BOOLEAN, ts TIMESTAMP(3),
  t AS CAST(FLOOR(ts TO SECOND) AS TIMESTAMP(3)), WATERMARK FOR t AS t - INTERVAL '3' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/data/bids.json', 'format' = 'json');
SELECT * FROM bids MATCH_RECOGNIZE (
  PARTITION BY auction ORDER BY t, price DESC, ts
  MEASURES A.price AS a, B.price AS b, C.price AS c, A.ts AS a_ts, C.t AS c_t
  AFTER MATCH SKIP PAST LAST ROW
  PATTERN (A B C)
  DEFINE B AS B.price < A.price OR B.price IS NULL
) AS m;
