-- ORDER BY: ascending by the time attribute, put out as the watermark passes.
-- compared: in order
CREATE TABLE Orders (order_id BIGINT, customer STRING, product STRING, amount INT, price DECIMAL(10, 2), order_time TIMESTAMP(3),
  WATERMARK FOR order_time AS order_time - INTERVAL '5' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/orders.json', 'format' = 'json');
SELECT order_id, order_time FROM Orders WHERE order_id <> 9 AND order_id <> 6 ORDER BY order_time;
