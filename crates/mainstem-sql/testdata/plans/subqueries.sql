CREATE TABLE orders (id BIGINT NOT NULL, customer STRING, total DOUBLE, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '1' SECOND)
  WITH ('connector' = 'filesystem', 'format' = 'json');
CREATE TABLE customers (name STRING, country STRING, since INT NOT NULL) WITH ('connector' = 'filesystem', 'format' = 'json');
EXPLAIN SELECT id FROM orders AS o WHERE total > 5 AND EXISTS (SELECT 1 FROM customers AS c WHERE c.name = o.customer AND c.country = 'RO');
EXPLAIN SELECT id FROM orders WHERE NOT EXISTS (SELECT 1 FROM customers WHERE country = 'RO');
EXPLAIN SELECT id FROM orders WHERE customer IN (SELECT name FROM customers);
EXPLAIN SELECT id FROM orders WHERE id NOT IN (SELECT since FROM customers);
EXPLAIN SELECT id FROM orders WHERE customer NOT IN (SELECT name FROM customers);
EXPLAIN SELECT id FROM orders AS o WHERE total > (SELECT AVG(p.total) FROM orders AS p WHERE p.customer = o.customer);
EXPLAIN SELECT id, (SELECT COUNT(*) FROM customers AS c WHERE c.name = o.customer) AS n FROM orders AS o;
EXPLAIN SELECT id, (SELECT c.country FROM customers AS c WHERE c.name = o.customer) AS country FROM orders AS o;
EXPLAIN SELECT id FROM orders AS o WHERE total IS NULL OR EXISTS (SELECT 1 FROM customers AS c WHERE c.name = o.customer);
EXPLAIN SELECT c.name, l.id FROM customers AS c, LATERAL (SELECT id FROM orders AS o WHERE o.customer = c.name ORDER BY total DESC LIMIT 3) AS l;
EXPLAIN SELECT id, (SELECT COUNT(*) FROM customers AS c WHERE c.since < o.id) FROM orders AS o;
