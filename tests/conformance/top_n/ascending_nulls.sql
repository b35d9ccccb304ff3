-- Top-N: ascending; NULL is the smallest.
CREATE TABLE ShopSales (product_id STRING, category STRING, product_name STRING, sales INT, day_time TIMESTAMP(3),
  WATERMARK FOR day_time AS day_time - INTERVAL '1' MINUTE)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/shop_sales.json', 'format' = 'json');
SELECT product_name, sales, rn FROM (SELECT *, ROW_NUMBER() OVER (ORDER BY sales ASC) AS rn FROM ShopSales) WHERE rn <= 3;
