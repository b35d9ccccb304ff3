-- Functions: strings.
CREATE TABLE Numbers (k INT, i INT, b BIGINT, d DOUBLE, x DECIMAL(10, 2), s STRING, f BOOLEAN)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/numbers.json', 'format' = 'json');
SELECT UPPER(s) AS u, LOWER(s) AS l, INITCAP(s) AS i, SUBSTRING(s, 2, 3) AS ss, POSITION('a' IN s) AS p, REVERSE(s) AS r, REPLACE(s, 'a', 'A') AS rp, TRIM(BOTH 'a' FROM s) AS t, LPAD(s, 7, '*') AS lp FROM Numbers;
