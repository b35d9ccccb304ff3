-- Group aggregation: ROLLUP of the same column twice; the product of their sets has equal ones.
CREATE TABLE Orders (order_id BIGINT, customer STRING, product STRING, amount INT, price DECIMAL(10, 2), order_time TIMESTAMP(3),
  WATERMARK FOR order_time AS order_time - INTERVAL '5' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/orders.json', 'format' = 'json');
SELECT product, COUNT(*) AS n FROM Orders GROUP BY ROLLUP (product), ROLLUP (product);
