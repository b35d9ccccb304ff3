-- Data types: TIME.
CREATE TABLE Events (id INT, dt DATE, tm TIME(0), ts TIMESTAMP(3))
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/events.json', 'format' = 'json');
SELECT id, tm, CAST(tm AS STRING) AS s, HOUR(tm) AS h FROM Events;
