-- Functions: numbers.
CREATE TABLE Numbers (k INT, i INT, b BIGINT, d DOUBLE, x DECIMAL(10, 2), s STRING, f BOOLEAN)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/numbers.json', 'format' = 'json');
SELECT ABS(i) AS a, SIGN(d) AS s, CEIL(d) AS c, FLOOR(x) AS f, ROUND(x, 1) AS r, MOD(b, 5) AS m, POWER(d, 2) AS p, TRUNCATE(x, 1) AS t FROM Numbers WHERE i > -100 OR i IS NULL;
