-- Hints: STATE_TTL for one side of a full join with a changing table, NULLs among the keys.
CREATE TABLE Accounts (id INT, owner STRING, branch STRING, balance INT, PRIMARY KEY (id) NOT ENFORCED)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/accounts.json', 'format' = 'debezium-json');
CREATE TABLE Customers (name STRING, city STRING, credit INT, since DATE)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/customers.json', 'format' = 'json');
SELECT /*+ STATE_TTL('Accounts' = '1 h') */ id, balance, name, city FROM Accounts FULL JOIN Customers ON owner = name;
