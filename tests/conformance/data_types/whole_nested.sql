-- Data types: nested values as they are.
CREATE TABLE People (id INT, name STRING, tags ARRAY<STRING>, address ROW<city STRING, zip INT>, scores MAP<STRING, INT>, items ARRAY<ROW<sku STRING, n INT>>)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/people.json', 'format' = 'json');
SELECT tags, address, scores, items FROM People;
