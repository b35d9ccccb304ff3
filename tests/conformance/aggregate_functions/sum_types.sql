-- Aggregate functions: SUM keeps integers and widens DECIMAL.
CREATE TABLE Numbers (k INT, i INT, b BIGINT, d DOUBLE, x DECIMAL(10, 2), s STRING, f BOOLEAN)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/numbers.json', 'format' = 'json');
SELECT SUM(k) AS sk, SUM(d) AS sd, SUM(x) AS sx, SUM(CAST(k AS TINYINT)) AS st, SUM(CAST(k AS SMALLINT)) AS ss, SUM(CAST(d AS FLOAT)) AS sf FROM Numbers;
