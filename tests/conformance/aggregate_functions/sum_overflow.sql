-- Aggregate functions: SUM of INT and BIGINT wraps around.
CREATE TABLE Numbers (k INT, i INT, b BIGINT, d DOUBLE, x DECIMAL(10, 2), s STRING, f BOOLEAN)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/numbers.json', 'format' = 'json');
SELECT SUM(i) AS si, SUM(b) AS sb, SUM(b + 0) AS sc FROM Numbers WHERE k = 3 OR b > 0;
