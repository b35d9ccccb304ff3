-- Aggregate functions: AVG of integers is an integer, cut towards zero.
CREATE TABLE Numbers (k INT, i INT, b BIGINT, d DOUBLE, x DECIMAL(10, 2), s STRING, f BOOLEAN)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/numbers.json', 'format' = 'json');
SELECT AVG(k) AS ak, AVG(i) AS ai, AVG(d) AS ad, AVG(x) AS ax, AVG(CAST(k AS BIGINT)) AS ab FROM Numbers WHERE k < 3;
