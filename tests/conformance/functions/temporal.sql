-- Functions: dates and times.
CREATE TABLE Events (id INT, dt DATE, tm TIME(0), ts TIMESTAMP(3))
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/events.json', 'format' = 'json');
SELECT id, EXTRACT(YEAR FROM dt) AS y, QUARTER(dt) AS q, DAYOFWEEK(dt) AS w, DAYOFYEAR(ts) AS dy, WEEK(dt) AS wk, FLOOR(ts TO HOUR) AS fh, CEIL(ts TO DAY) AS cd, DATE_FORMAT(ts, 'yyyy/MM/dd HH:mm') AS f FROM Events;
