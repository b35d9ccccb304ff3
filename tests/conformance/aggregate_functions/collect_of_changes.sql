-- Aggregate functions: COLLECT takes values back.
CREATE TABLE Accounts (id INT, owner STRING, branch STRING, balance INT, PRIMARY KEY (id) NOT ENFORCED)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/accounts.json', 'format' = 'debezium-json');
SELECT branch, COLLECT(balance) AS b FROM Accounts GROUP BY branch;
