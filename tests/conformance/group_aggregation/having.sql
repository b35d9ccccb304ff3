-- Group aggregation: HAVING; a group leaves when it no longer holds.
CREATE TABLE Orders (order_id BIGINT, customer STRING, product STRING, amount INT, price DECIMAL(10, 2), order_time TIMESTAMP(3),
  WATERMARK FOR order_time AS order_time - INTERVAL '5' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/orders.json', 'format' = 'json');
SELECT customer, SUM(amount) AS s FROM Orders GROUP BY customer HAVING SUM(amount) < 10;
