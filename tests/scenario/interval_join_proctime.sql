CREATE TABLE orders (id INT, currency STRING, item STRING, quantity INT, ts TIMESTAMP(3), at_time AS PROCTIME())
WITH ('connector' = 'filesystem', 'path' = '${DIR}/data/orders.json', 'format' = 'json');
CREATE TABLE shipments (order_id INT, carrier STRING, ts TIMESTAMP(3), at_time AS PROCTIME())
WITH ('connector' = 'filesystem', 'path' = '${DIR}/data/shipments.json', 'format' = 'json');
SELECT o.id, s.carrier FROM orders AS o JOIN shipments AS s ON o.id = s.order_id AND s.at_time BETWEEN o.at_time - INTERVAL '1' HOUR AND o.at_time + INTERVAL '1' HOUR;
