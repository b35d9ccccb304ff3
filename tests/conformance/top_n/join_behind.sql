-- Top-N: its result joined.
CREATE TABLE ShopSales (product_id STRING, category STRING, product_name STRING, sales INT, day_time TIMESTAMP(3),
  WATERMARK FOR day_time AS day_time - INTERVAL '1' MINUTE)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/shop_sales.json', 'format' = 'json');
CREATE TABLE Customers (name STRING, city STRING, credit INT, since DATE)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/customers.json', 'format' = 'json');
SELECT t.product_name, c.city FROM (SELECT product_name, rn FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY category ORDER BY sales DESC) AS rn FROM ShopSales WHERE category IS NOT NULL) WHERE rn = 1) AS t JOIN Customers AS c ON CHAR_LENGTH(t.product_name) = CHAR_LENGTH(c.city);
