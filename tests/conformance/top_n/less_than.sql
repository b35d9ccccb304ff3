-- Top-N: rank < 2 and a condition beside it.
CREATE TABLE ShopSales (product_id STRING, category STRING, product_name STRING, sales INT, day_time TIMESTAMP(3),
  WATERMARK FOR day_time AS day_time - INTERVAL '1' MINUTE)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/shop_sales.json', 'format' = 'json');
SELECT category, product_name FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY category ORDER BY sales DESC) AS rn FROM ShopSales) WHERE rn < 2 AND category <> 'food';
