-- Time attributes: another name keeps it.
CREATE TABLE Orders (order_id BIGINT, customer STRING, product STRING, amount INT, price DECIMAL(10, 2), order_time TIMESTAMP(3),
  WATERMARK FOR order_time AS order_time - INTERVAL '5' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/orders.json', 'format' = 'json');
CREATE VIEW renamed AS SELECT order_time AS t, amount AS a FROM Orders;
SELECT window_start, SUM(a) AS s FROM TABLE(TUMBLE(TABLE renamed, DESCRIPTOR(t), INTERVAL '20' SECOND)) GROUP BY window_start, window_end;
