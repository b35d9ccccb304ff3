-- Window aggregation: COUNT(DISTINCT) over CUMULATE, the unique visitors of the documentation.
CREATE TABLE Orders (order_id BIGINT, customer STRING, product STRING, amount INT, price DECIMAL(10, 2), order_time TIMESTAMP(3),
  WATERMARK FOR order_time AS order_time - INTERVAL '5' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/orders.json', 'format' = 'json');
SELECT window_start, window_end, COUNT(DISTINCT customer) AS uv FROM TABLE(CUMULATE(TABLE Orders, DESCRIPTOR(order_time), INTERVAL '10' SECOND, INTERVAL '1' MINUTE)) GROUP BY window_start, window_end;
