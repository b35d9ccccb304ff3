CREATE TABLE orders (id INT, currency STRING, item STRING, quantity INT, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '1' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/data/orders.json', 'format' = 'json');
CREATE TABLE shipments (order_id INT, carrier STRING, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '6' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/data/shipments.json', 'format' = 'json');
SELECT o.id, o.quantity, s.order_id, s.carrier FROM orders AS o FULL JOIN shipments AS s ON o.id = s.order_id AND o.ts BETWEEN s.ts - INTERVAL '5' SECOND AND s.ts + INTERVAL '0.001' SECOND AND o.quantity > 4;
