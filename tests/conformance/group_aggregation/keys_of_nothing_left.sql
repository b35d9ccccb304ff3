-- Group aggregation: with a key, over a table whose last row was deleted.
CREATE TABLE Accounts (id INT, owner STRING, branch STRING, balance INT, PRIMARY KEY (id) NOT ENFORCED)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/emptied.json', 'format' = 'debezium-json');
SELECT branch, COUNT(*) AS n, SUM(balance) AS s FROM Accounts GROUP BY branch;
