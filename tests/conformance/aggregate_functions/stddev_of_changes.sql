-- Aggregate functions: STDDEV takes values back.
CREATE TABLE Accounts (id INT, owner STRING, branch STRING, balance INT, PRIMARY KEY (id) NOT ENFORCED)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/accounts.json', 'format' = 'debezium-json');
SELECT STDDEV_POP(CAST(balance AS DOUBLE)) AS s, VAR_SAMP(CAST(balance AS DOUBLE)) AS v FROM Accounts;
