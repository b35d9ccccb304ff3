-- Window deduplication: keep-first of equal times keeps the one that came first.
CREATE TABLE Orders (order_id BIGINT, customer STRING, product STRING, amount INT, price DECIMAL(10, 2), order_time TIMESTAMP(3),
  WATERMARK FOR order_time AS order_time - INTERVAL '5' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/orders.json', 'format' = 'json');
SELECT order_id, order_time, window_start FROM (
  SELECT *, ROW_NUMBER() OVER (PARTITION BY window_start, window_end ORDER BY order_time ASC) AS rownum
  FROM TABLE(TUMBLE(TABLE Orders, DESCRIPTOR(order_time), INTERVAL '7' SECOND)))
WHERE rownum = 1;
