-- Data types: everything as text.
CREATE TABLE Numbers (k INT, i INT, b BIGINT, d DOUBLE, x DECIMAL(10, 2), s STRING, f BOOLEAN)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/numbers.json', 'format' = 'json');
SELECT CAST(k AS STRING) AS k, CAST(b AS STRING) AS b, CAST(d AS STRING) AS d, CAST(x AS STRING) AS x, CAST(f AS STRING) AS f FROM Numbers;
