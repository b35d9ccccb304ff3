-- OVER: RANK and DENSE_RANK of rows of equal time.
CREATE TABLE Orders (order_id BIGINT, customer STRING, product STRING, amount INT, price DECIMAL(10, 2), order_time TIMESTAMP(3),
  WATERMARK FOR order_time AS order_time - INTERVAL '5' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/orders.json', 'format' = 'json');
SELECT order_id, RANK() OVER (ORDER BY order_time) AS r, DENSE_RANK() OVER (ORDER BY order_time) AS d FROM Orders WHERE order_id <> 9;
