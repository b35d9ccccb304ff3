-- Time attributes: a watermark without a delay; equal times are not late.
CREATE TABLE Orders (order_id BIGINT, order_time TIMESTAMP(3), WATERMARK FOR order_time AS order_time - INTERVAL '0.001' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/orders.json', 'format' = 'json');
SELECT COUNT(*) AS n FROM Orders;
