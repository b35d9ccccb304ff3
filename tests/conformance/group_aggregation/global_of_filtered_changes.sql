-- Group aggregation: without keys, of which no row passes the filter in the end.
CREATE TABLE Accounts (id INT, owner STRING, branch STRING, balance INT, PRIMARY KEY (id) NOT ENFORCED)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/accounts.json', 'format' = 'debezium-json');
SELECT COUNT(*) AS n, MAX(balance) AS m FROM Accounts WHERE balance BETWEEN 60 AND 110;
