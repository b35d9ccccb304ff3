-- Aggregate functions: LISTAGG takes values back.
CREATE TABLE Accounts (id INT, owner STRING, branch STRING, balance INT, PRIMARY KEY (id) NOT ENFORCED)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/accounts.json', 'format' = 'debezium-json');
SELECT branch, LISTAGG(owner) AS o FROM Accounts GROUP BY branch;
