CREATE TABLE orders (id INT, currency STRING, quantity INT, ts TIMESTAMP(3), at AS PROCTIME(), WATERMARK FOR ts AS ts - INTERVAL '1' SECOND)
  WITH ('connector' = 'kafka', 'format' = 'json');
CREATE TABLE shipments (order_id INT, carrier STRING, ts TIMESTAMP(3), at AS PROCTIME(), WATERMARK FOR ts AS ts - INTERVAL '6' SECOND)
  WITH ('connector' = 'kafka', 'format' = 'json');
CREATE TABLE rates (currency STRING, rate INT, note STRING, ts TIMESTAMP(3), WATERMARK FOR ts AS ts, PRIMARY KEY (currency) NOT ENFORCED)
  WITH ('connector' = 'upsert-kafka', 'format' = 'json');
CREATE TABLE appended (currency STRING, rate INT, ts TIMESTAMP(3), WATERMARK FOR ts AS ts)
  WITH ('connector' = 'kafka', 'format' = 'json');
CREATE TABLE countries (code STRING, name STRING) WITH ('connector' = 'filesystem', 'format' = 'json');
SELECT o.id FROM orders AS o JOIN appended FOR SYSTEM_TIME AS OF o.ts AS r ON o.currency = r.currency;
SELECT o.id FROM orders AS o RIGHT JOIN rates FOR SYSTEM_TIME AS OF o.ts AS r ON o.currency = r.currency;
SELECT o.id FROM orders AS o JOIN rates FOR SYSTEM_TIME AS OF o.quantity AS r ON o.currency = r.currency;
SELECT * FROM orders JOIN shipments USING (id);
