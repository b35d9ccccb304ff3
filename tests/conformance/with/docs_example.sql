-- WITH: the example of the documentation.
CREATE TABLE Orders (order_id BIGINT, customer STRING, product STRING, amount INT, price DECIMAL(10, 2), order_time TIMESTAMP(3),
  WATERMARK FOR order_time AS order_time - INTERVAL '5' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/orders.json', 'format' = 'json');
WITH orders_with_total AS (SELECT order_id, price + amount AS total FROM Orders) SELECT order_id, SUM(total) AS s FROM orders_with_total GROUP BY order_id;
