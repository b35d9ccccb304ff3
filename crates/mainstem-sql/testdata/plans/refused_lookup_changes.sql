CREATE TABLE orders (id INT, customer BIGINT, at AS PROCTIME()) WITH ('connector' = 'kafka', 'format' = 'json');
CREATE TABLE customers (id INT, name STRING) WITH ('connector' = 'jdbc');
SELECT o.n, c.name FROM (SELECT id, COUNT(*) AS n, PROCTIME() AS at FROM orders GROUP BY id) AS o JOIN customers FOR SYSTEM_TIME AS OF o.at AS c ON o.id = c.id;
