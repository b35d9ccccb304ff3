-- Aggregate functions: MIN and MAX of all types that have an order.
CREATE TABLE Numbers (k INT, i INT, b BIGINT, d DOUBLE, x DECIMAL(10, 2), s STRING, f BOOLEAN)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/numbers.json', 'format' = 'json');
SELECT MIN(i) AS i1, MAX(i) AS i2, MIN(b) AS b1, MAX(b) AS b2, MIN(d) AS d1, MAX(d) AS d2, MIN(x) AS x1, MAX(x) AS x2, MIN(s) AS s1, MAX(s) AS s2, MIN(f) AS f1, MAX(f) AS f2 FROM Numbers;
