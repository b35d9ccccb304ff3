-- OVER: AVG of INT is SUM by COUNT in Flink, and its SUM wraps around.
CREATE TABLE Big (id INT, i AS 2147483647, ts AS TIMESTAMPADD(SECOND, id, TIMESTAMP '2024-01-01 00:00:00'), WATERMARK FOR ts AS ts)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/late.json', 'format' = 'json');
SELECT id, AVG(i) OVER (ORDER BY ts) AS a, SUM(i) OVER (ORDER BY ts) AS s FROM Big WHERE id < 4;
