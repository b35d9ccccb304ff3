-- Changelogs: NOT EXISTS, the inner table changes.
CREATE TABLE Accounts (id INT, owner STRING, branch STRING, balance INT, PRIMARY KEY (id) NOT ENFORCED)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/accounts.json', 'format' = 'debezium-json');
CREATE TABLE Customers (name STRING, city STRING, credit INT, since DATE)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/customers.json', 'format' = 'json');
SELECT name, city FROM Customers AS c WHERE NOT EXISTS (SELECT * FROM Accounts AS a WHERE a.owner = c.name AND a.balance > 20);
