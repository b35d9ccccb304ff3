-- Changelogs: two groupings of a changing table, joined.
CREATE TABLE Accounts (id INT, owner STRING, branch STRING, balance INT, PRIMARY KEY (id) NOT ENFORCED)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/accounts.json', 'format' = 'debezium-json');
SELECT a.branch, a.n, b.s FROM (SELECT branch, COUNT(*) AS n FROM Accounts GROUP BY branch) AS a LEFT JOIN (SELECT branch, SUM(balance) AS s FROM Accounts WHERE balance > 20 GROUP BY branch) AS b ON a.branch = b.branch;
