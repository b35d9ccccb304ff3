CREATE TABLE bids (auction BIGINT, bidder BIGINT, price BIGINT, channel STRING, ts TIMESTAMP(3), pt AS PROCTIME(),
  WATERMARK FOR ts AS ts - INTERVAL '1' SECOND)
  WITH ('connector' = 'kafka', 'topic' = 'bids', 'format' = 'json');
CREATE TABLE falls (auction BIGINT, low BIGINT, at TIMESTAMP(3)) WITH ('connector' = 'kafka', 'topic' = 'falls', 'format' = 'json');
INSERT INTO falls SELECT auction, low, at FROM bids MATCH_RECOGNIZE (
  PARTITION BY auction, bidder ORDER BY ts, price DESC
  MEASURES LAST(B.price) AS low, C.ts AS at, COUNT(B.channel) AS unused
  ONE ROW PER MATCH AFTER MATCH SKIP TO LAST B
  PATTERN (A{2} B+? (D* E{1,3}?) C) WITHIN INTERVAL '1' HOUR
  DEFINE B AS B.price < LAST(A.price, 1), C AS SUM(C.price * 2) > 1
) WHERE auction > 7 AND low < 3;
SELECT * FROM bids MATCH_RECOGNIZE (
  ORDER BY pt MEASURES MATCH_PROCTIME() AS p, A.price AS price PATTERN (A B{0,4}? C) DEFINE B AS B.price > 1
) AS m;
SELECT TUMBLE_START(at, INTERVAL '1' MINUTE) AS w, COUNT(*) AS n FROM bids MATCH_RECOGNIZE (
  PARTITION BY bidder ORDER BY ts MEASURES MATCH_ROWTIME() AS at
  AFTER MATCH SKIP PAST LAST ROW PATTERN (A B{2,}? C) DEFINE B AS B.price > 1
) AS m GROUP BY TUMBLE(at, INTERVAL '1' MINUTE);
