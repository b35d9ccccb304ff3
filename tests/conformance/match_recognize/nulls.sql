-- MATCH_RECOGNIZE: an unknown condition does not hold.
CREATE TABLE Orders (order_id BIGINT, customer STRING, product STRING, amount INT, price DECIMAL(10, 2), order_time TIMESTAMP(3),
  WATERMARK FOR order_time AS order_time - INTERVAL '5' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/orders.json', 'format' = 'json');
SELECT * FROM Orders MATCH_RECOGNIZE (
  PARTITION BY customer ORDER BY order_time, order_id
  MEASURES A.order_id AS a, LAST(B.order_id) AS b
  AFTER MATCH SKIP PAST LAST ROW
  PATTERN (A B+ C) DEFINE B AS B.amount > 0, C AS C.amount > 4
) MR;
