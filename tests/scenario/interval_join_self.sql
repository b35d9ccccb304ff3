CREATE TABLE orders (id INT, currency STRING, item STRING, quantity INT, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '1' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/data/orders.json', 'format' = 'json');
SELECT a.id AS later, b.id AS earlier FROM orders AS a JOIN orders AS b ON a.currency = b.currency AND a.id <> b.id AND b.ts BETWEEN a.ts - INTERVAL '5' SECOND AND a.ts;
