-- SELECT: BETWEEN is symmetric only if it says so.
CREATE TABLE Orders (order_id BIGINT, customer STRING, product STRING, amount INT, price DECIMAL(10, 2), order_time TIMESTAMP(3),
  WATERMARK FOR order_time AS order_time - INTERVAL '5' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/orders.json', 'format' = 'json');
SELECT order_id, amount BETWEEN 1 AND 3 AS a, amount BETWEEN 3 AND 1 AS b, amount BETWEEN SYMMETRIC 3 AND 1 AS c FROM Orders;
