-- Group aggregation: DISTINCT and FILTER together, the example of the documentation.
CREATE TABLE Orders (order_id BIGINT, customer STRING, product STRING, amount INT, price DECIMAL(10, 2), order_time TIMESTAMP(3),
  WATERMARK FOR order_time AS order_time - INTERVAL '5' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/orders.json', 'format' = 'json');
SELECT COUNT(DISTINCT customer) AS total, COUNT(DISTINCT customer) FILTER (WHERE product IN ('tea', 'mug')) AS few, COUNT(DISTINCT customer) FILTER (WHERE product = 'pot') AS pots FROM Orders;
