-- Group aggregation: CUBE of a list and one of its columns; GROUP_ID.
CREATE TABLE Orders (order_id BIGINT, customer STRING, product STRING, amount INT, price DECIMAL(10, 2), order_time TIMESTAMP(3),
  WATERMARK FOR order_time AS order_time - INTERVAL '5' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/orders.json', 'format' = 'json');
SELECT product, customer, COUNT(*) AS n, GROUP_ID() AS g FROM Orders GROUP BY CUBE ((product, customer), product);
