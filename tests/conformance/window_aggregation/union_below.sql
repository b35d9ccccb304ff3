-- Window aggregation: over UNION ALL of a stream with itself.
CREATE TABLE Orders (order_id BIGINT, customer STRING, product STRING, amount INT, price DECIMAL(10, 2), order_time TIMESTAMP(3),
  WATERMARK FOR order_time AS order_time - INTERVAL '5' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/orders.json', 'format' = 'json');
CREATE VIEW both_ways AS SELECT order_time, amount FROM Orders WHERE product = 'tea' UNION ALL SELECT order_time, amount FROM Orders WHERE product = 'mug';
SELECT window_start, SUM(amount) AS s FROM TABLE(TUMBLE(TABLE both_ways, DESCRIPTOR(order_time), INTERVAL '20' SECOND)) GROUP BY window_start, window_end;
