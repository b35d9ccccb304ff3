-- Group aggregation: ROLLUP of a list and its columns.
CREATE TABLE Orders (order_id BIGINT, customer STRING, product STRING, amount INT, price DECIMAL(10, 2), order_time TIMESTAMP(3),
  WATERMARK FOR order_time AS order_time - INTERVAL '5' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/orders.json', 'format' = 'json');
SELECT product, customer, COUNT(*) AS n, GROUPING_ID(product, customer) AS g FROM Orders GROUP BY ROLLUP ((product, customer), product, customer);
