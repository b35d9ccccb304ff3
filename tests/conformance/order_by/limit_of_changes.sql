-- ORDER BY with LIMIT over a changing table: a deleted row makes room.
CREATE TABLE Accounts (id INT, owner STRING, branch STRING, balance INT, PRIMARY KEY (id) NOT ENFORCED)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/accounts.json', 'format' = 'debezium-json');
SELECT id, balance FROM Accounts ORDER BY balance DESC LIMIT 2;
