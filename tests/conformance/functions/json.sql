-- Functions: JSON of values and back.
CREATE TABLE People (id INT, name STRING, tags ARRAY<STRING>, address ROW<city STRING, zip INT>, scores MAP<STRING, INT>, items ARRAY<ROW<sku STRING, n INT>>)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/people.json', 'format' = 'json');
SELECT id, JSON_OBJECT('n' VALUE name, 'id' VALUE id) AS o, JSON_ARRAY(id, name NULL ON NULL) AS a, JSON_VALUE('{"a": {"b": 7}}', '$.a.b') AS v, JSON_EXISTS('{"a": 1}', '$.b') AS e, JSON_QUERY('{"a": [1, 2]}', '$.a') AS q FROM People;
