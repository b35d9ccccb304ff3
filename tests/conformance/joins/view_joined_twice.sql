-- Joins: a view with itself.
CREATE TABLE Orders (order_id BIGINT, customer STRING, product STRING, amount INT, price DECIMAL(10, 2), order_time TIMESTAMP(3),
  WATERMARK FOR order_time AS order_time - INTERVAL '5' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/orders.json', 'format' = 'json');
CREATE VIEW teas AS SELECT order_id, customer FROM Orders WHERE product = 'tea';
SELECT a.order_id AS x, b.order_id AS y FROM teas AS a JOIN teas AS b ON a.customer = b.customer AND a.order_id < b.order_id;
