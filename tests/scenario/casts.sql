CREATE TABLE v (id INT, s STRING, d DOUBLE, b BOOLEAN, dt DATE, tm TIME(0), ts TIMESTAMP(3))
WITH ('connector' = 'filesystem', 'path' = '${DIR}/data/values.csv', 'format' = 'csv');
SELECT CAST(d AS STRING) AS a, CAST(id AS DOUBLE) AS b, CAST(ts AS STRING) AS c, CAST(d AS INT) AS e, TRY_CAST(s AS INT) AS f, CAST(b AS INT) AS g, CAST(dt AS STRING) AS h, CAST(d AS DECIMAL(5, 1)) AS k FROM v;
