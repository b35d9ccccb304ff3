-- Time attributes: a time attribute is a column like others.
CREATE TABLE Orders (order_id BIGINT, customer STRING, product STRING, amount INT, price DECIMAL(10, 2), order_time TIMESTAMP(3),
  WATERMARK FOR order_time AS order_time - INTERVAL '5' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/orders.json', 'format' = 'json');
SELECT order_id, order_time + INTERVAL '1' HOUR AS later, EXTRACT(MINUTE FROM order_time) AS m FROM Orders WHERE order_time > TIMESTAMP '2024-03-01 10:00:20';
