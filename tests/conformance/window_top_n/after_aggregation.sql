-- Window top-N: the best of each window, over a window aggregation.
CREATE TABLE Orders (order_id BIGINT, customer STRING, product STRING, amount INT, price DECIMAL(10, 2), order_time TIMESTAMP(3),
  WATERMARK FOR order_time AS order_time - INTERVAL '5' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/orders.json', 'format' = 'json');
SELECT * FROM (
  SELECT *, ROW_NUMBER() OVER (PARTITION BY window_start, window_end ORDER BY total DESC) AS rownum FROM (
    SELECT window_start, window_end, product, SUM(amount) AS total, COUNT(*) AS cnt
    FROM TABLE(TUMBLE(TABLE Orders, DESCRIPTOR(order_time), INTERVAL '20' SECOND)) WHERE product IS NOT NULL GROUP BY window_start, window_end, product))
WHERE rownum <= 2;
