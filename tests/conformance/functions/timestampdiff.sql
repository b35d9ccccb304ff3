-- Functions: differences of times.
CREATE TABLE Events (id INT, dt DATE, tm TIME(0), ts TIMESTAMP(3))
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/events.json', 'format' = 'json');
SELECT id, TIMESTAMPDIFF(DAY, TIMESTAMP '2000-01-01 00:00:00', ts) AS d, TIMESTAMPDIFF(MONTH, dt, DATE '2024-03-01') AS m, TIMESTAMPADD(WEEK, 1, dt) AS a FROM Events;
