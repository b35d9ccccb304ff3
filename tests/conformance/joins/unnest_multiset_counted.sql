-- Joins: what is unnested is counted again; NULLs, and groups that change.
CREATE TABLE Accounts (id INT, owner STRING, branch STRING, balance INT, PRIMARY KEY (id) NOT ENFORCED)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/accounts.json', 'format' = 'debezium-json');
SELECT b, COUNT(*) AS n, COUNT(o) AS m, MIN(o) AS o FROM (SELECT branch AS b, COLLECT(balance) AS bs FROM Accounts GROUP BY branch) CROSS JOIN UNNEST(bs) AS t (o) GROUP BY b;
