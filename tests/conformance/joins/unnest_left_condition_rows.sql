-- Joins: LEFT JOIN UNNEST of rows with a condition that may be NULL.
CREATE TABLE People (id INT, name STRING, tags ARRAY<STRING>, address ROW<city STRING, zip INT>, scores MAP<STRING, INT>,
  items ARRAY<ROW<sku STRING, n INT>>)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/people.json', 'format' = 'json');
SELECT id, sku, n FROM People LEFT JOIN UNNEST(items) AS x(sku, n) ON n > 1 OR sku IS NULL;
