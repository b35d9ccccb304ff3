CREATE TABLE orders (id INT, customer BIGINT, at AS PROCTIME()) WITH ('connector' = 'kafka', 'format' = 'json');
CREATE TABLE customers (id INT, name STRING) WITH ('connector' = 'jdbc');
SELECT o.id FROM orders AS o JOIN customers /*+ OPTIONS('lookup.cache.ttl' = '1 s') */ FOR SYSTEM_TIME AS OF o.at AS c ON o.id = c.id;
