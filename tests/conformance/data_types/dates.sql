-- Data types: DATE arithmetic.
CREATE TABLE Events (id INT, dt DATE, tm TIME(0), ts TIMESTAMP(3))
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/events.json', 'format' = 'json');
SELECT id, dt + INTERVAL '1' MONTH AS m, dt - INTERVAL '1' YEAR AS y, dt + INTERVAL '1' DAY AS d FROM Events;
