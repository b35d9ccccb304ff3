-- Aggregate functions: MIN and MAX of dates and times.
CREATE TABLE Events (id INT, dt DATE, tm TIME(0), ts TIMESTAMP(3))
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/events.json', 'format' = 'json');
SELECT MIN(dt) AS d1, MAX(dt) AS d2, MIN(tm) AS t1, MAX(tm) AS t2, MIN(ts) AS s1, MAX(ts) AS s2 FROM Events;
