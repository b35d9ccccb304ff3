-- Aggregate functions: JSON_OBJECTAGG ABSENT ON NULL.
CREATE TABLE Orders (order_id BIGINT, customer STRING, product STRING, amount INT, price DECIMAL(10, 2), order_time TIMESTAMP(3),
  WATERMARK FOR order_time AS order_time - INTERVAL '5' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/orders.json', 'format' = 'json');
SELECT JSON_OBJECTAGG(KEY CAST(order_id AS STRING) VALUE amount ABSENT ON NULL) AS j FROM Orders WHERE order_id < 4;
