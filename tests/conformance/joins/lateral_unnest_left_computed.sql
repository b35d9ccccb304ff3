-- Joins: LEFT JOIN LATERAL of UNNEST with a computed column.
CREATE TABLE People (id INT, name STRING, tags ARRAY<STRING>, address ROW<city STRING, zip INT>, scores MAP<STRING, INT>,
  items ARRAY<ROW<sku STRING, n INT>>)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/people.json', 'format' = 'json');
SELECT id, t FROM People LEFT JOIN LATERAL (SELECT UPPER(t) AS t FROM UNNEST(tags) AS x(t)) AS l ON TRUE;
