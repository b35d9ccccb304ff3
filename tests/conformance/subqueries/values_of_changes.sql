-- Sub-queries: VALUES over a table that changes.
CREATE TABLE Accounts (id INT, owner STRING, branch STRING, balance INT, PRIMARY KEY (id) NOT ENFORCED)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/accounts.json', 'format' = 'debezium-json');
SELECT * FROM (VALUES ('balance', (SELECT SUM(balance) FROM Accounts)), ('owners', (SELECT CAST(COUNT(DISTINCT owner) AS INT) FROM Accounts))) AS t(what, v);
