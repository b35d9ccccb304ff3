-- Aggregate functions: LAST_VALUE over a table that changes.
CREATE TABLE Accounts (id INT, owner STRING, branch STRING, balance INT, PRIMARY KEY (id) NOT ENFORCED)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/accounts.json', 'format' = 'debezium-json');
SELECT branch, LAST_VALUE(owner) AS l FROM Accounts GROUP BY branch;
