-- Group aggregation: GROUPING and GROUPING_ID tell a NULL key from a key that is left out.
CREATE TABLE Orders (order_id BIGINT, customer STRING, product STRING, amount INT, price DECIMAL(10, 2), order_time TIMESTAMP(3),
  WATERMARK FOR order_time AS order_time - INTERVAL '5' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/orders.json', 'format' = 'json');
SELECT customer, product, GROUPING(customer) AS gc, GROUPING_ID(customer, product) AS g, SUM(amount) AS s FROM Orders GROUP BY CUBE (customer, product);
