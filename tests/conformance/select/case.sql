-- SELECT: simple and searched CASE.
CREATE TABLE Orders (order_id BIGINT, customer STRING, product STRING, amount INT, price DECIMAL(10, 2), order_time TIMESTAMP(3),
  WATERMARK FOR order_time AS order_time - INTERVAL '5' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/orders.json', 'format' = 'json');
SELECT order_id, CASE product WHEN 'tea' THEN 1 WHEN 'mug' THEN 2 END AS kind, CASE WHEN amount > 3 THEN 'many' WHEN amount > 0 THEN 'few' ELSE 'none' END AS much FROM Orders;
