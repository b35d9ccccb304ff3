CREATE TABLE bids (auction INT, bidder STRING, price DOUBLE, quantity INT, fee DECIMAL(10, 2), ok BOOLEAN, ts TIMESTAMP(3),
  WATERMARK FOR ts AS ts - INTERVAL '1' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/data/bids.json', 'format' = 'json');
SELECT * FROM bids MATCH_RECOGNIZE (
  PARTITION BY auction ORDER BY ts
  MEASURES FIRST(A.price) AS a0, FIRST(A.price, 1) AS a1, FIRST(A.price, 7) AS a7, LAST(A.price, 1) AS l1, LAST(price, 2) AS p2,
    FIRST(price) AS f, FIRST(B.quantity + A.quantity) AS fb, LAST(B.price * 2) AS b
  AFTER MATCH SKIP PAST LAST ROW
  PATTERN (A{2,} B C)
  DEFINE A AS quantity >= 0 AND (LAST(A.quantity, 1) IS NULL OR A.quantity <> LAST(A.quantity, 1)),
    B AS LAST(quantity, 1) >= quantity AND B.quantity <= FIRST(A.quantity),
    C AS C.price > FIRST(price) OR LAST(price, 3) IS NULL
) AS m;
