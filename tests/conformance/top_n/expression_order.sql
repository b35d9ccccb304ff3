-- Top-N: ordered by an expression.
CREATE TABLE Orders (order_id BIGINT, customer STRING, product STRING, amount INT, price DECIMAL(10, 2), order_time TIMESTAMP(3),
  WATERMARK FOR order_time AS order_time - INTERVAL '5' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/orders.json', 'format' = 'json');
SELECT order_id, rn FROM (SELECT order_id, ROW_NUMBER() OVER (ORDER BY ABS(amount - 3), order_id) AS rn FROM Orders WHERE order_id <> 9 AND amount IS NOT NULL) WHERE rn <= 3;
