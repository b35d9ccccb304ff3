-- Changelogs: a window aggregation over a changing table with a time attribute.
CREATE TABLE Rates (currency STRING, rate INT, update_time TIMESTAMP(3),
  WATERMARK FOR update_time AS update_time, PRIMARY KEY (currency) NOT ENFORCED)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/rates.json', 'format' = 'debezium-json');
SELECT window_start, COUNT(*) AS n, SUM(rate) AS s FROM TABLE(TUMBLE(TABLE Rates, DESCRIPTOR(update_time), INTERVAL '1' HOUR)) GROUP BY window_start, window_end;
