-- Top-N: over a table that changes, all of it.
CREATE TABLE Accounts (id INT, owner STRING, branch STRING, balance INT, PRIMARY KEY (id) NOT ENFORCED)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/accounts.json', 'format' = 'debezium-json');
SELECT owner, balance, rn FROM (SELECT *, ROW_NUMBER() OVER (ORDER BY balance DESC) AS rn FROM Accounts) WHERE rn <= 2;
