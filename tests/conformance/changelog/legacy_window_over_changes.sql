-- Changelogs: a legacy group window over a changing table.
CREATE TABLE Rates (currency STRING, rate INT, update_time TIMESTAMP(3),
  WATERMARK FOR update_time AS update_time, PRIMARY KEY (currency) NOT ENFORCED)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/rates.json', 'format' = 'debezium-json');
SELECT TUMBLE_START(update_time, INTERVAL '1' HOUR) AS w, COUNT(*) AS n, SUM(rate) AS s FROM Rates GROUP BY TUMBLE(update_time, INTERVAL '1' HOUR);
