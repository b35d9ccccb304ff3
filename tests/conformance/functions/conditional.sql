-- Functions: IF, NULLIF, IFNULL, COALESCE, CASE.
CREATE TABLE Numbers (k INT, i INT, b BIGINT, d DOUBLE, x DECIMAL(10, 2), s STRING, f BOOLEAN)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/numbers.json', 'format' = 'json');
SELECT IF(k > 1, 'big', 'small') AS i, NULLIF(k, 1) AS n, IFNULL(s, '-') AS f, COALESCE(s, CAST(k AS STRING), '?') AS c, CASE k WHEN 1 THEN 'one' WHEN 2 THEN 'two' ELSE 'many' END AS w FROM Numbers;
