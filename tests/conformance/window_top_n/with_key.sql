-- Window top-N: a key beside the window.
CREATE TABLE Orders (order_id BIGINT, customer STRING, product STRING, amount INT, price DECIMAL(10, 2), order_time TIMESTAMP(3),
  WATERMARK FOR order_time AS order_time - INTERVAL '5' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/orders.json', 'format' = 'json');
SELECT product, order_id, rownum FROM (
  SELECT *, ROW_NUMBER() OVER (PARTITION BY window_start, window_end, product ORDER BY amount DESC, order_id) AS rownum
  FROM TABLE(TUMBLE(TABLE Orders, DESCRIPTOR(order_time), INTERVAL '30' SECOND)))
WHERE rownum <= 2;
