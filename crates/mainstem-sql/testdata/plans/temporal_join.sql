CREATE TABLE orders (id INT, currency STRING, quantity INT, ts TIMESTAMP(3), at AS PROCTIME(), WATERMARK FOR ts AS ts - INTERVAL '1' SECOND)
  WITH ('connector' = 'kafka', 'format' = 'json');
CREATE TABLE shipments (order_id INT, carrier STRING, ts TIMESTAMP(3), at AS PROCTIME(), WATERMARK FOR ts AS ts - INTERVAL '6' SECOND)
  WITH ('connector' = 'kafka', 'format' = 'json');
CREATE TABLE rates (currency STRING, rate INT, note STRING, ts TIMESTAMP(3), WATERMARK FOR ts AS ts, PRIMARY KEY (currency) NOT ENFORCED)
  WITH ('connector' = 'upsert-kafka', 'format' = 'json');
CREATE TABLE appended (currency STRING, rate INT, ts TIMESTAMP(3), WATERMARK FOR ts AS ts)
  WITH ('connector' = 'kafka', 'format' = 'json');
CREATE TABLE countries (code STRING, name STRING) WITH ('connector' = 'filesystem', 'format' = 'json');
SELECT o.id, o.quantity * r.rate AS price FROM orders AS o LEFT JOIN rates FOR SYSTEM_TIME AS OF o.ts AS r ON o.currency = r.currency AND r.rate > 0 WHERE o.quantity > 1 AND r.rate < 9;
CREATE VIEW latest AS SELECT currency, rate, ts FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY currency ORDER BY ts DESC) AS n FROM appended) WHERE n = 1;
SELECT o.id, l.rate FROM orders AS o, latest FOR SYSTEM_TIME AS OF o.ts AS l WHERE o.currency = l.currency;
SELECT o.id, c.name FROM orders AS o LEFT JOIN countries FOR SYSTEM_TIME AS OF o.at AS c ON o.currency = c.code;
SELECT o.id, r.rate, r.note FROM orders AS o JOIN rates FOR SYSTEM_TIME AS OF o.ts AS r ON o.currency = r.currency JOIN rates AS now ON now.currency = o.currency;
