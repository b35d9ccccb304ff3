-- Window aggregation: AVG of DECIMAL and of INT.
CREATE TABLE Orders (order_id BIGINT, customer STRING, product STRING, amount INT, price DECIMAL(10, 2), order_time TIMESTAMP(3),
  WATERMARK FOR order_time AS order_time - INTERVAL '5' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/orders.json', 'format' = 'json');
SELECT window_start, AVG(price) AS ap, AVG(amount) AS aa FROM TABLE(TUMBLE(TABLE Orders, DESCRIPTOR(order_time), INTERVAL '20' SECOND)) GROUP BY window_start, window_end;
