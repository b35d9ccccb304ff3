-- Time travel: a table without versions is refused.
CREATE TABLE Customers (name STRING, city STRING, credit INT, since DATE)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/customers.json', 'format' = 'json');
SELECT * FROM Customers FOR SYSTEM_TIME AS OF TIMESTAMP '2023-07-31 00:00:00';
