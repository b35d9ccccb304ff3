-- Joins: LEFT JOIN LATERAL of UNNEST with WHERE.
CREATE TABLE People (id INT, name STRING, tags ARRAY<STRING>, address ROW<city STRING, zip INT>, scores MAP<STRING, INT>,
  items ARRAY<ROW<sku STRING, n INT>>)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/people.json', 'format' = 'json');
SELECT id, k, v FROM People LEFT JOIN LATERAL (SELECT k, v FROM UNNEST(scores) AS x(k, v) WHERE v > 3) AS l ON TRUE;
