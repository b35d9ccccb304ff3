-- Changelogs: an expression over a changing column.
CREATE TABLE Accounts (id INT, owner STRING, branch STRING, balance INT, PRIMARY KEY (id) NOT ENFORCED)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/accounts.json', 'format' = 'debezium-json');
SELECT id, CASE WHEN balance > 60 THEN 'rich' WHEN balance IS NULL THEN 'unknown' ELSE 'poor' END AS kind FROM Accounts;
