-- Data types: TRY_CAST gives NULL where CAST fails.
CREATE TABLE Numbers (k INT, i INT, b BIGINT, d DOUBLE, x DECIMAL(10, 2), s STRING, f BOOLEAN)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/numbers.json', 'format' = 'json');
SELECT s, TRY_CAST(s AS INT) AS i, TRY_CAST(x AS INT) AS xi, TRY_CAST(s AS DATE) AS d FROM Numbers;
