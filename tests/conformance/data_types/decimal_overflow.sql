-- Data types: a DECIMAL that does not fit is NULL.
CREATE TABLE Numbers (k INT, i INT, b BIGINT, d DOUBLE, x DECIMAL(10, 2), s STRING, f BOOLEAN)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/numbers.json', 'format' = 'json');
SELECT x, CAST(x AS DECIMAL(4, 2)) AS small FROM Numbers;
