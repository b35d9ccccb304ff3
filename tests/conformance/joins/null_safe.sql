-- Joins: IS NOT DISTINCT FROM as a key: NULL meets NULL.
CREATE TABLE Customers (name STRING, city STRING, credit INT, since DATE)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/customers.json', 'format' = 'json');
SELECT a.city AS a, b.city AS b FROM Customers AS a JOIN Customers AS b ON a.name IS NOT DISTINCT FROM b.name WHERE a.name IS NULL OR a.name = 'ann';
