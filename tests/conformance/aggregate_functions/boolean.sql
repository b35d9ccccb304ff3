-- Aggregate functions: over BOOLEAN.
CREATE TABLE Numbers (k INT, i INT, b BIGINT, d DOUBLE, x DECIMAL(10, 2), s STRING, f BOOLEAN)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/numbers.json', 'format' = 'json');
SELECT k, MIN(f) AS lo, MAX(f) AS hi, COUNT(f) AS n, COUNT(DISTINCT f) AS d FROM Numbers GROUP BY k;
