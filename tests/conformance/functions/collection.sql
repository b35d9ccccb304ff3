-- Functions: collections.
CREATE TABLE People (id INT, name STRING, tags ARRAY<STRING>, address ROW<city STRING, zip INT>, scores MAP<STRING, INT>, items ARRAY<ROW<sku STRING, n INT>>)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/people.json', 'format' = 'json');
SELECT id, ARRAY_CONTAINS(tags, 'a') AS h, ARRAY_DISTINCT(tags) AS d, ARRAY_POSITION(tags, 'b') AS p, MAP_KEYS(scores) AS k, CARDINALITY(items) AS n, ELEMENT(ARRAY[id]) AS e FROM People WHERE id < 3;
