-- Data types: three-valued logic.
CREATE TABLE Numbers (k INT, i INT, b BIGINT, d DOUBLE, x DECIMAL(10, 2), s STRING, f BOOLEAN)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/numbers.json', 'format' = 'json');
SELECT f, NOT f AS n, f AND TRUE AS a, f OR FALSE AS o, f IS TRUE AS t, f IS UNKNOWN AS u, f AND FALSE AS af, f OR TRUE AS ot FROM Numbers;
