-- MATCH_RECOGNIZE: a second column of order for equal times.
CREATE TABLE Orders (order_id BIGINT, customer STRING, product STRING, amount INT, price DECIMAL(10, 2), order_time TIMESTAMP(3),
  WATERMARK FOR order_time AS order_time - INTERVAL '5' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/orders.json', 'format' = 'json');
SELECT * FROM Orders MATCH_RECOGNIZE (
  ORDER BY order_time, order_id
  MEASURES A.order_id AS a, B.order_id AS b
  AFTER MATCH SKIP TO NEXT ROW
  PATTERN (A B) DEFINE B AS B.order_time = A.order_time
) MR;
