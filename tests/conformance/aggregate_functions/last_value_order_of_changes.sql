-- Aggregate functions: LAST_VALUE keeps the order of arrival; what is taken back is the first equal value.
CREATE TABLE Members (id INT, g STRING, v STRING, PRIMARY KEY (id) NOT ENFORCED)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/members.json', 'format' = 'debezium-json');
SELECT g, LAST_VALUE(v) AS v FROM Members GROUP BY g;
