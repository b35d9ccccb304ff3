-- OVER: LISTAGG.
CREATE TABLE Orders (order_id BIGINT, customer STRING, product STRING, amount INT, price DECIMAL(10, 2), order_time TIMESTAMP(3),
  WATERMARK FOR order_time AS order_time - INTERVAL '5' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/orders.json', 'format' = 'json');
SELECT order_id, LISTAGG(product) OVER (PARTITION BY customer ORDER BY order_time ROWS BETWEEN 2 PRECEDING AND CURRENT ROW) AS l FROM Orders WHERE customer = 'ann';
