CREATE TABLE orders (id INT, customer BIGINT, country STRING, amount INT, at AS PROCTIME())
  WITH ('connector' = 'kafka', 'format' = 'json');
CREATE TABLE customers (id BIGINT, country STRING, name STRING, kind STRING, score INT, doubled AS score * 2)
  WITH ('connector' = 'jdbc', 'lookup.cache' = 'PARTIAL', 'lookup.partial-cache.max-rows' = '100', 'lookup.partial-cache.expire-after-write' = '1 min',
        'lookup.partial-cache.expire-after-access' = '10 s', 'lookup.partial-cache.cache-missing-key' = 'false');
CREATE TABLE uncached (id BIGINT, name STRING, kind STRING) WITH ('connector' = 'jdbc');
CREATE TABLE unbounded (id BIGINT, name STRING) WITH ('connector' = 'jdbc', 'lookup.cache' = 'PARTIAL');
CREATE TABLE older (id BIGINT, name STRING) WITH ('connector' = 'jdbc', 'lookup.cache.max-rows' = '7', 'lookup.cache.ttl' = '1 s');
-- Conditions on the table: constants go with the key, others are applied to what comes, those over both sides to the pairs.
SELECT o.id, c.name FROM orders AS o LEFT JOIN customers FOR SYSTEM_TIME AS OF o.at AS c
  ON o.customer = c.id AND c.country = o.country AND c.kind = 'a' AND c.score > 3 AND o.amount > c.score;
SELECT o.id, c.name FROM orders AS o JOIN uncached FOR SYSTEM_TIME AS OF o.at AS c ON o.customer = c.id WHERE c.kind = 'b' AND CHAR_LENGTH(c.name) > 2 AND o.amount > 1;
SELECT o.id, c.doubled FROM orders AS o LEFT JOIN customers FOR SYSTEM_TIME AS OF o.at AS c ON o.customer = c.id;
SELECT o.id, u.name, k.name FROM orders AS o JOIN unbounded FOR SYSTEM_TIME AS OF o.at AS u ON u.id = o.customer JOIN older FOR SYSTEM_TIME AS OF o.at AS k ON k.id = u.id;
-- By constants alone, and by a key beside an equality that is none.
SELECT o.id, c.name FROM orders AS o LEFT JOIN uncached FOR SYSTEM_TIME AS OF o.at AS c ON c.id = 5;
SELECT o.id, c.name FROM orders AS o LEFT JOIN uncached FOR SYSTEM_TIME AS OF o.at AS c ON c.id = o.customer AND UPPER(c.name) = o.country;
CREATE VIEW named AS SELECT id AS customer, UPPER(name) AS name FROM uncached WHERE kind <> 'gone';
SELECT o.id, n.name FROM orders AS o LEFT JOIN named FOR SYSTEM_TIME AS OF o.at AS n ON n.customer = o.customer;
-- Read whole, as it is no row of the table that is asked for.
CREATE VIEW kinds AS SELECT kind, COUNT(*) AS c FROM uncached GROUP BY kind;
SELECT o.id, n.c FROM orders AS o JOIN kinds FOR SYSTEM_TIME AS OF o.at AS n ON n.kind = o.country;
-- A row that is taken back takes back what it has found.
SELECT o.n, c.name FROM (SELECT customer, COUNT(*) AS n, PROCTIME() AS at FROM orders GROUP BY customer) AS o JOIN customers FOR SYSTEM_TIME AS OF o.at AS c ON o.customer = c.id;
