-- Functions: comparisons with NULL.
CREATE TABLE Numbers (k INT, i INT, b BIGINT, d DOUBLE, x DECIMAL(10, 2), s STRING, f BOOLEAN)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/numbers.json', 'format' = 'json');
SELECT k = 1 AS e, k <> 1 AS n, k IS NULL AS u, COALESCE(k, -1) AS c, GREATEST(k, 2) AS g, LEAST(k, 2) AS l FROM Numbers;
