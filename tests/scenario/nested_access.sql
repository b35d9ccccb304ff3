CREATE TABLE people (name STRING, country STRING, tags ARRAY<STRING>, address ROW<city STRING, zip INT>, scores MAP<STRING, INT>, items ARRAY<ROW<sku STRING, n INT>>)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/data/people.json', 'format' = 'json');
SELECT name, address.city, address.zip, tags[1] AS first_tag, scores['y'] AS y, CARDINALITY(tags) AS n, items[1].sku AS sku FROM people;
