-- Group aggregation: strings as keys; the empty one is not NULL, case counts.
CREATE TABLE Numbers (k INT, i INT, b BIGINT, d DOUBLE, x DECIMAL(10, 2), s STRING, f BOOLEAN)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/numbers.json', 'format' = 'json');
SELECT s, COUNT(*) AS n FROM Numbers GROUP BY s;
