-- Functions: more strings.
CREATE TABLE Numbers (k INT, i INT, b BIGINT, d DOUBLE, x DECIMAL(10, 2), s STRING, f BOOLEAN)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/numbers.json', 'format' = 'json');
SELECT CONCAT(s, '-', s) AS c, CONCAT_WS(',', s, CAST(k AS STRING)) AS w, s || CAST(k AS STRING) AS o, OVERLAY(s PLACING 'XX' FROM 2 FOR 1) AS ov, REPEAT(s, 2) AS r, LEFT(s, 2) AS l, RIGHT(s, 2) AS ri, ASCII(s) AS a, SPLIT_INDEX(s, ' ', 0) AS sp FROM Numbers;
