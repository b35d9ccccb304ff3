-- Functions: LIKE, SIMILAR TO and regular expressions.
CREATE TABLE Numbers (k INT, i INT, b BIGINT, d DOUBLE, x DECIMAL(10, 2), s STRING, f BOOLEAN)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/numbers.json', 'format' = 'json');
SELECT s, s LIKE '%eta' AS l, s NOT LIKE 'a%' AS n, s SIMILAR TO '(alpha|beta)' AS si, REGEXP(s, '^[a-z]+$') AS r, REGEXP_REPLACE(s, '[aeiou]', '_') AS rr, REGEXP_EXTRACT(s, '([a-z])a', 1) AS re FROM Numbers;
