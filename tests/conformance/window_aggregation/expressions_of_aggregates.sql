-- Window aggregation: expressions over aggregates and window columns.
CREATE TABLE Orders (order_id BIGINT, customer STRING, product STRING, amount INT, price DECIMAL(10, 2), order_time TIMESTAMP(3),
  WATERMARK FOR order_time AS order_time - INTERVAL '5' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/orders.json', 'format' = 'json');
SELECT DATE_FORMAT(window_start, 'HH:mm:ss') AS w, SUM(amount) * 2 + COUNT(*) AS x, TIMESTAMPDIFF(SECOND, window_start, window_end) AS len FROM TABLE(TUMBLE(TABLE Orders, DESCRIPTOR(order_time), INTERVAL '20' SECOND)) GROUP BY window_start, window_end;
