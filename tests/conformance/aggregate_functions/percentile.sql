-- Aggregate functions: PERCENTILE.
CREATE TABLE Numbers (k INT, i INT, b BIGINT, d DOUBLE, x DECIMAL(10, 2), s STRING, f BOOLEAN)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/numbers.json', 'format' = 'json');
SELECT PERCENTILE(k, 0.5) AS m, PERCENTILE(d, 0.25) AS q, PERCENTILE(k, ARRAY[0, 0.5, 1]) AS a FROM Numbers;
