-- Functions: arrays as sets.
CREATE TABLE People (id INT, name STRING, tags ARRAY<STRING>, address ROW<city STRING, zip INT>, scores MAP<STRING, INT>, items ARRAY<ROW<sku STRING, n INT>>)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/people.json', 'format' = 'json');
SELECT id, ARRAY_UNION(tags, ARRAY['z']) AS u, ARRAY_REMOVE(tags, 'a') AS r, ARRAY_REVERSE(tags) AS v, ARRAY_JOIN(tags, '+', '?') AS j, ARRAY_SLICE(tags, 1, 1) AS s FROM People WHERE id IN (1, 3, 4);
