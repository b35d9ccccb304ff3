-- Data types: TIMESTAMP arithmetic.
CREATE TABLE Events (id INT, dt DATE, tm TIME(0), ts TIMESTAMP(3))
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/events.json', 'format' = 'json');
SELECT id, ts + INTERVAL '1.5' SECOND AS s, ts - INTERVAL '1' DAY AS d, ts + INTERVAL '1-1' YEAR TO MONTH AS m FROM Events;
