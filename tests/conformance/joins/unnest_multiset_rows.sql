-- Joins: UNNEST of a multiset of rows, in a window; equal rows are there as often as they came.
CREATE TABLE Orders (order_id BIGINT, customer STRING, product STRING, amount INT, price DECIMAL(10, 2), order_time TIMESTAMP(3),
  WATERMARK FOR order_time AS order_time - INTERVAL '5' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/orders.json', 'format' = 'json');
SELECT window_start, t.c, t.p FROM (
  SELECT window_start, COLLECT(ROW(customer, product)) AS m FROM TABLE(TUMBLE(TABLE Orders, DESCRIPTOR(order_time), INTERVAL '20' SECOND)) GROUP BY window_start, window_end
) CROSS JOIN UNNEST(m) AS t (c, p);
