CREATE TABLE v (id INT, s STRING, d DOUBLE, b BOOLEAN, dt DATE, tm TIME(0), ts TIMESTAMP(3))
WITH ('connector' = 'filesystem', 'path' = '${DIR}/data/values.csv', 'format' = 'csv');
SELECT * FROM v;
