-- Joins: LEFT JOIN UNNEST WITH ORDINALITY, the first elements alone.
CREATE TABLE People (id INT, name STRING, tags ARRAY<STRING>, address ROW<city STRING, zip INT>, scores MAP<STRING, INT>,
  items ARRAY<ROW<sku STRING, n INT>>)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/people.json', 'format' = 'json');
SELECT id, t, o FROM People LEFT JOIN UNNEST(tags) WITH ORDINALITY AS x(t, o) ON o = 1;
