-- Joins: LEFT JOIN UNNEST with a condition, over a multiset that changes.
CREATE TABLE Accounts (id INT, owner STRING, branch STRING, balance INT, PRIMARY KEY (id) NOT ENFORCED)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/accounts.json', 'format' = 'debezium-json');
SELECT branch, o FROM (SELECT branch, COLLECT(owner) AS owners FROM Accounts GROUP BY branch) LEFT JOIN UNNEST(owners) AS x(o) ON o > 'b';
