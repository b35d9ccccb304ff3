-- Data types: elements of an ARRAY, from 1; beyond its end is NULL.
CREATE TABLE People (id INT, name STRING, tags ARRAY<STRING>, address ROW<city STRING, zip INT>, scores MAP<STRING, INT>, items ARRAY<ROW<sku STRING, n INT>>)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/people.json', 'format' = 'json');
SELECT id, tags[1] AS first_, tags[3] AS third, CARDINALITY(tags) AS n, items[1].sku AS sku FROM People;
