-- Group aggregation: DISTINCT on different columns in one grouping.
CREATE TABLE Orders (order_id BIGINT, customer STRING, product STRING, amount INT, price DECIMAL(10, 2), order_time TIMESTAMP(3),
  WATERMARK FOR order_time AS order_time - INTERVAL '5' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/orders.json', 'format' = 'json');
SELECT COUNT(DISTINCT customer) AS c, COUNT(DISTINCT product) AS p, COUNT(DISTINCT amount) AS a FROM Orders;
