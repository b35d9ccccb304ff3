-- Changelogs: a window function over a changing table without a time attribute.
CREATE TABLE Accounts (id INT, owner STRING, branch STRING, balance INT, PRIMARY KEY (id) NOT ENFORCED)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/accounts.json', 'format' = 'debezium-json');
SELECT window_start, COUNT(*) AS n FROM TABLE(TUMBLE(TABLE Accounts, DESCRIPTOR(balance), INTERVAL '1' MINUTE)) GROUP BY window_start, window_end;
