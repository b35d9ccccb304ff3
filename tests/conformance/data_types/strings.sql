-- Data types: CHAR pads, VARCHAR does not.
CREATE TABLE Numbers (k INT, i INT, b BIGINT, d DOUBLE, x DECIMAL(10, 2), s STRING, f BOOLEAN)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/numbers.json', 'format' = 'json');
SELECT s, CAST(s AS CHAR(3)) AS c, CAST(s AS VARCHAR(3)) AS v, CHAR_LENGTH(s) AS n FROM Numbers;
