CREATE TABLE orders (id INT, customer BIGINT, at AS PROCTIME()) WITH ('connector' = 'kafka', 'format' = 'json');
CREATE TABLE customers (id INT, name STRING) WITH ('connector' = 'jdbc');
SELECT o.id FROM orders AS o JOIN customers FOR SYSTEM_TIME AS OF o.at AS c ON o.customer = c.id;
