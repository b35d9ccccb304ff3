-- Data types: values of a MAP.
CREATE TABLE People (id INT, name STRING, tags ARRAY<STRING>, address ROW<city STRING, zip INT>, scores MAP<STRING, INT>, items ARRAY<ROW<sku STRING, n INT>>)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/people.json', 'format' = 'json');
SELECT id, scores['math'] AS m, scores['none'] AS x, CARDINALITY(scores) AS n FROM People;
