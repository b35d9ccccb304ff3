-- Changelogs: a table of a changelog format, read as it is.
CREATE TABLE Accounts (id INT, owner STRING, branch STRING, balance INT, PRIMARY KEY (id) NOT ENFORCED)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/accounts.json', 'format' = 'debezium-json');
SELECT * FROM Accounts;
