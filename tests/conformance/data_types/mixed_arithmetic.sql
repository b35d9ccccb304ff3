-- Data types: the common type of mixed operands.
CREATE TABLE Numbers (k INT, i INT, b BIGINT, d DOUBLE, x DECIMAL(10, 2), s STRING, f BOOLEAN)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/numbers.json', 'format' = 'json');
SELECT i + b AS ib, i + d AS id, i + x AS ix, x + d AS xd, CAST(i AS TINYINT) + CAST(1 AS SMALLINT) AS ts FROM Numbers WHERE i = 5;
