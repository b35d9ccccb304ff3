-- Group aggregation: without keys over a table that changes.
CREATE TABLE Accounts (id INT, owner STRING, branch STRING, balance INT, PRIMARY KEY (id) NOT ENFORCED)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/accounts.json', 'format' = 'debezium-json');
SELECT COUNT(*) AS n, SUM(balance) AS s, AVG(balance) AS a, COUNT(DISTINCT branch) AS b FROM Accounts;
