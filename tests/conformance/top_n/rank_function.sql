-- Top-N: by RANK; in Flink only over a bounded input.
-- flink: batch
CREATE TABLE ShopSales (product_id STRING, category STRING, product_name STRING, sales INT, day_time TIMESTAMP(3),
  WATERMARK FOR day_time AS day_time - INTERVAL '1' MINUTE)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/shop_sales.json', 'format' = 'json');
SELECT product_name, sales, r FROM (SELECT *, RANK() OVER (PARTITION BY category ORDER BY sales DESC) AS r FROM ShopSales) WHERE r <= 2;
