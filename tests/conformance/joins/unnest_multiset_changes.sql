-- Joins: UNNEST of a multiset over a changing table.
CREATE TABLE Accounts (id INT, owner STRING, branch STRING, balance INT, PRIMARY KEY (id) NOT ENFORCED)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/accounts.json', 'format' = 'debezium-json');
SELECT branch, o FROM (SELECT branch, COLLECT(owner) AS os FROM Accounts GROUP BY branch) CROSS JOIN UNNEST(os) AS t (o);
