-- Interval join: a stream with itself.
CREATE TABLE Orders (order_id BIGINT, customer STRING, product STRING, amount INT, price DECIMAL(10, 2), order_time TIMESTAMP(3),
  WATERMARK FOR order_time AS order_time - INTERVAL '5' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/orders.json', 'format' = 'json');
SELECT a.order_id AS x, b.order_id AS y FROM Orders a JOIN Orders b ON a.product = b.product AND b.order_time BETWEEN a.order_time AND a.order_time + INTERVAL '7' SECOND WHERE a.order_id < b.order_id;
