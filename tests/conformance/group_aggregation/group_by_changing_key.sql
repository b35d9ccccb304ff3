-- Group aggregation: a row moves from one group to another.
CREATE TABLE Accounts (id INT, owner STRING, branch STRING, balance INT, PRIMARY KEY (id) NOT ENFORCED)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/accounts.json', 'format' = 'debezium-json');
SELECT branch, COUNT(owner) AS owners FROM Accounts WHERE balance > 20 GROUP BY branch;
