-- Joins: two keys.
CREATE TABLE Orders (order_id BIGINT, customer STRING, product STRING, amount INT, price DECIMAL(10, 2), order_time TIMESTAMP(3),
  WATERMARK FOR order_time AS order_time - INTERVAL '5' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/orders.json', 'format' = 'json');
SELECT a.order_id AS x, b.order_id AS y FROM Orders AS a JOIN Orders AS b ON a.customer = b.customer AND a.product = b.product WHERE a.order_id < b.order_id;
