-- Data types: integer arithmetic, division cuts.
CREATE TABLE Numbers (k INT, i INT, b BIGINT, d DOUBLE, x DECIMAL(10, 2), s STRING, f BOOLEAN)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/numbers.json', 'format' = 'json');
SELECT i, i + 1 AS a, i - 1 AS s, i * 2 AS m, i / 4 AS d, i % 4 AS r, -i AS n FROM Numbers WHERE i BETWEEN -100 AND 100;
