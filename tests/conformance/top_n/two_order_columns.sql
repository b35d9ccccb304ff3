-- Top-N: two columns of order.
CREATE TABLE Orders (order_id BIGINT, customer STRING, product STRING, amount INT, price DECIMAL(10, 2), order_time TIMESTAMP(3),
  WATERMARK FOR order_time AS order_time - INTERVAL '5' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/orders.json', 'format' = 'json');
SELECT order_id, product, rn FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY product ORDER BY amount DESC, order_id ASC) AS rn FROM Orders WHERE order_id <> 9) WHERE rn <= 2;
