-- Functions: a DOUBLE divided by zero is infinite, 0/0 is no number.
CREATE TABLE Numbers (k INT, i INT, b BIGINT, d DOUBLE, x DECIMAL(10, 2), s STRING, f BOOLEAN)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/numbers.json', 'format' = 'json');
SELECT d / 0 AS a, 0 / d AS b FROM Numbers WHERE k = 1 OR d = 0;
