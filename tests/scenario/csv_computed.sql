CREATE TABLE v (id INT, s STRING, d DOUBLE, b BOOLEAN, dt DATE, tm TIME(0), ts TIMESTAMP(3), twice AS d * 2, y AS EXTRACT(YEAR FROM dt)) WITH ('connector' = 'filesystem', 'path' = '${DIR}/data/values.csv', 'format' = 'csv');
SELECT id, twice, y FROM v;
