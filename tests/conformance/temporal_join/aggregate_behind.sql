-- Temporal join: its result aggregated in windows.
CREATE TABLE Payments (payment_id INT, amount INT, currency STRING, pay_time TIMESTAMP(3),
  WATERMARK FOR pay_time AS pay_time)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/payments.json', 'format' = 'json');
CREATE TABLE Rates (currency STRING, rate INT, update_time TIMESTAMP(3),
  WATERMARK FOR update_time AS update_time, PRIMARY KEY (currency) NOT ENFORCED)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/rates.json', 'format' = 'debezium-json');
CREATE VIEW paid AS SELECT p.pay_time, p.amount * r.rate AS v FROM Payments AS p JOIN Rates FOR SYSTEM_TIME AS OF p.pay_time AS r ON p.currency = r.currency;
SELECT window_start, SUM(v) AS s FROM TABLE(TUMBLE(TABLE paid, DESCRIPTOR(pay_time), INTERVAL '1' HOUR)) GROUP BY window_start, window_end;
