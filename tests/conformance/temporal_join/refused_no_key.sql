-- Temporal join: a table without a primary key has no versions.
CREATE TABLE Payments (payment_id INT, amount INT, currency STRING, pay_time TIMESTAMP(3),
  WATERMARK FOR pay_time AS pay_time)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/payments.json', 'format' = 'json');
CREATE TABLE RateHistory (currency STRING, rate INT, update_time TIMESTAMP(3),
  WATERMARK FOR update_time AS update_time)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/rate_history.json', 'format' = 'json');
SELECT p.payment_id, r.rate FROM Payments AS p JOIN RateHistory FOR SYSTEM_TIME AS OF p.pay_time AS r ON p.currency = r.currency;
