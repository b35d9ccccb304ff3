-- Aggregate functions: the precision of SUM and AVG of DECIMAL.
CREATE TABLE Numbers (k INT, i INT, b BIGINT, d DOUBLE, x DECIMAL(10, 2), s STRING, f BOOLEAN)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/numbers.json', 'format' = 'json');
SELECT SUM(x) AS s, AVG(x) AS a, SUM(x * x) AS q FROM Numbers;
