-- Deduplication by another column than time: a top-1.
CREATE TABLE Accounts (id INT, owner STRING, branch STRING, balance INT, PRIMARY KEY (id) NOT ENFORCED)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/accounts.json', 'format' = 'debezium-json');
SELECT branch, owner FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY branch ORDER BY id) AS rn FROM Accounts) WHERE rn = 1;
