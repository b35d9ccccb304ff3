-- Joins: LEFT JOIN UNNEST with a condition on the left side.
CREATE TABLE People (id INT, name STRING, tags ARRAY<STRING>, address ROW<city STRING, zip INT>, scores MAP<STRING, INT>,
  items ARRAY<ROW<sku STRING, n INT>>)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/people.json', 'format' = 'json');
SELECT id, t FROM People LEFT JOIN UNNEST(tags) AS x(t) ON id > 1;
