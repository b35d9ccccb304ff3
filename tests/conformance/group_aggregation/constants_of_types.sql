-- Aggregates: equal constants of several types, NULLs among them.
CREATE TABLE Orders (order_id BIGINT, customer STRING, product STRING, amount INT, price DECIMAL(10, 2), order_time TIMESTAMP(3),
  WATERMARK FOR order_time AS order_time - INTERVAL '5' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/orders.json', 'format' = 'json');
SELECT product, MAX(CAST(NULL AS DOUBLE)) AS d, SUM(CAST(NULL AS INT)) AS i, MIN(CAST(NULL AS STRING)) AS s,
  SUM(DISTINCT CAST(NULL AS INT)) FILTER (WHERE CAST(NULL AS STRING) IN ('xy', '')) AS f, MAX(1) AS a, MAX(CAST(1 AS BIGINT)) AS b, SUM(CAST(1 AS SMALLINT)) AS c
FROM Orders GROUP BY product;
