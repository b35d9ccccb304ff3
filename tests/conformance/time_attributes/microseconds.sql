-- Time attributes: only TIMESTAMP of at most three digits.
CREATE TABLE Orders (order_id BIGINT, order_time TIMESTAMP(6), WATERMARK FOR order_time AS order_time)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/orders.json', 'format' = 'json');
SELECT order_id FROM Orders;
