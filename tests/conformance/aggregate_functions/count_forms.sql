-- Aggregate functions: COUNT of everything, of a column, of a constant.
CREATE TABLE Numbers (k INT, i INT, b BIGINT, d DOUBLE, x DECIMAL(10, 2), s STRING, f BOOLEAN)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/numbers.json', 'format' = 'json');
SELECT COUNT(*) AS n, COUNT(i) AS ci, COUNT(1) AS c1, COUNT(DISTINCT d) AS cd FROM Numbers;
