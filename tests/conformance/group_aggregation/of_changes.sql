-- Group aggregation: over a table that changes; a group whose last row is deleted leaves.
CREATE TABLE Accounts (id INT, owner STRING, branch STRING, balance INT, PRIMARY KEY (id) NOT ENFORCED)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/accounts.json', 'format' = 'debezium-json');
SELECT branch, COUNT(*) AS n, SUM(balance) AS s, MIN(balance) AS lo, MAX(balance) AS hi FROM Accounts GROUP BY branch;
