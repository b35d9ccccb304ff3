-- Top-N: without the rank column.
CREATE TABLE ShopSales (product_id STRING, category STRING, product_name STRING, sales INT, day_time TIMESTAMP(3),
  WATERMARK FOR day_time AS day_time - INTERVAL '1' MINUTE)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/shop_sales.json', 'format' = 'json');
SELECT product_id, category, sales FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY category ORDER BY sales DESC) AS row_num FROM ShopSales) WHERE row_num <= 2;
