-- Time attributes: an expression over one is none.
CREATE TABLE Orders (order_id BIGINT, customer STRING, product STRING, amount INT, price DECIMAL(10, 2), order_time TIMESTAMP(3),
  WATERMARK FOR order_time AS order_time - INTERVAL '5' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/orders.json', 'format' = 'json');
SELECT window_start FROM TABLE(TUMBLE((SELECT order_time + INTERVAL '1' SECOND AS t FROM Orders), DESCRIPTOR(t), INTERVAL '10' SECOND));
