-- Joins: LEFT JOIN UNNEST keeps people without tags.
CREATE TABLE People (id INT, name STRING, tags ARRAY<STRING>, address ROW<city STRING, zip INT>, scores MAP<STRING, INT>, items ARRAY<ROW<sku STRING, n INT>>)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/people.json', 'format' = 'json');
SELECT id, tag FROM People LEFT JOIN UNNEST(tags) AS t (tag) ON TRUE;
