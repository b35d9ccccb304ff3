-- Temporal join: event time, the versions are those of a changelog.
CREATE TABLE Payments (payment_id INT, amount INT, currency STRING, pay_time TIMESTAMP(3),
  WATERMARK FOR pay_time AS pay_time)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/payments.json', 'format' = 'json');
CREATE TABLE Rates (currency STRING, rate INT, update_time TIMESTAMP(3),
  WATERMARK FOR update_time AS update_time, PRIMARY KEY (currency) NOT ENFORCED)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/rates.json', 'format' = 'debezium-json');
SELECT p.payment_id, p.currency, r.rate FROM Payments AS p JOIN Rates FOR SYSTEM_TIME AS OF p.pay_time AS r ON p.currency = r.currency;
