CREATE TABLE orders (id INT, currency STRING, item STRING, quantity INT, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '1' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/data/orders.json', 'format' = 'json');
CREATE TABLE shipments (order_id INT, carrier STRING, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '6' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/data/shipments.json', 'format' = 'json');
CREATE TABLE rates (currency STRING, rate INT, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '1' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/data/rates.json', 'format' = 'json');
SELECT o.id, s.carrier, r.rate FROM orders AS o, shipments AS s, rates AS r WHERE o.id = s.order_id AND o.currency = r.currency AND r.rate > 100;
