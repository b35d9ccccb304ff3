-- Temporal join: LEFT with a versioned view.
CREATE TABLE Payments (payment_id INT, amount INT, currency STRING, pay_time TIMESTAMP(3),
  WATERMARK FOR pay_time AS pay_time)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/payments.json', 'format' = 'json');
CREATE TABLE RateHistory (currency STRING, rate INT, update_time TIMESTAMP(3),
  WATERMARK FOR update_time AS update_time)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/rate_history.json', 'format' = 'json');
CREATE VIEW versioned AS SELECT currency, rate, update_time FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY currency ORDER BY update_time DESC) AS rn FROM RateHistory) WHERE rn = 1;
SELECT p.payment_id, r.rate, r.update_time FROM Payments AS p LEFT JOIN versioned FOR SYSTEM_TIME AS OF p.pay_time AS r ON p.currency = r.currency;
