-- Group aggregation: FILTER over a changing input.
CREATE TABLE Orders (order_id BIGINT, customer STRING, product STRING, amount INT, price DECIMAL(10, 2), order_time TIMESTAMP(3),
  WATERMARK FOR order_time AS order_time - INTERVAL '5' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/orders.json', 'format' = 'json');
SELECT COUNT(*) FILTER (WHERE n > 2) AS many, SUM(n) FILTER (WHERE n < 3) AS few FROM (SELECT customer, COUNT(*) AS n FROM Orders GROUP BY customer);
