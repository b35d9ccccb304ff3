-- Group aggregation: aggregates of nothing but NULLs are NULL, their count 0.
CREATE TABLE Numbers (k INT, i INT, b BIGINT, d DOUBLE, x DECIMAL(10, 2), s STRING, f BOOLEAN)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/numbers.json', 'format' = 'json');
SELECT k, COUNT(i) AS n, SUM(i) AS s, MIN(s) AS lo, AVG(d) AS a FROM Numbers WHERE i IS NULL OR k = 2 GROUP BY k;
