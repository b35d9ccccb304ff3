-- Aggregate functions: FIRST_VALUE and LAST_VALUE leave out NULLs.
CREATE TABLE Orders (order_id BIGINT, customer STRING, product STRING, amount INT, price DECIMAL(10, 2), order_time TIMESTAMP(3),
  WATERMARK FOR order_time AS order_time - INTERVAL '5' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/orders.json', 'format' = 'json');
SELECT product, FIRST_VALUE(customer) AS f, LAST_VALUE(amount) AS l FROM Orders GROUP BY product;
