-- Data types: TIMESTAMP_LTZ in the session's zone.
CREATE TABLE Events (id INT, dt DATE, tm TIME(0), ts TIMESTAMP(3))
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/events.json', 'format' = 'json');
SET 'table.local-time-zone' = 'America/New_York';
SELECT id, CAST(ts AS TIMESTAMP_LTZ(3)) AS l, CAST(CAST(ts AS TIMESTAMP_LTZ(3)) AS STRING) AS s FROM Events;
