-- Data types: precision and scale of DECIMAL results.
CREATE TABLE Numbers (k INT, i INT, b BIGINT, d DOUBLE, x DECIMAL(10, 2), s STRING, f BOOLEAN)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/numbers.json', 'format' = 'json');
SELECT x + 1.5 AS a, x - 0.005 AS s, x * x AS m, x / 3 AS d, x % 2 AS r FROM Numbers;
