-- Aggregate functions: the variance of integers is an integer in Flink.
CREATE TABLE Orders (order_id BIGINT, customer STRING, product STRING, amount INT, price DECIMAL(10, 2), order_time TIMESTAMP(3),
  WATERMARK FOR order_time AS order_time - INTERVAL '5' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/orders.json', 'format' = 'json');
SELECT product, VAR_POP(amount) AS vp, STDDEV_SAMP(amount) AS ss, VAR_SAMP(price) AS vd FROM Orders GROUP BY product;
