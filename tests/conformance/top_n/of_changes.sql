-- Top-N: over a table that changes.
CREATE TABLE Accounts (id INT, owner STRING, branch STRING, balance INT, PRIMARY KEY (id) NOT ENFORCED)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/accounts.json', 'format' = 'debezium-json');
SELECT branch, owner, balance, rn FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY branch ORDER BY balance DESC) AS rn FROM Accounts) WHERE rn <= 1;
