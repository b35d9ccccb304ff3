-- OVER: by processing time, in the order of arrival.
CREATE TABLE Orders (order_id BIGINT, customer STRING, product STRING, amount INT, price DECIMAL(10, 2), order_time TIMESTAMP(3), pt AS PROCTIME())
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/orders.json', 'format' = 'json');
SELECT order_id, SUM(amount) OVER (PARTITION BY product ORDER BY pt ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) AS s FROM Orders;
