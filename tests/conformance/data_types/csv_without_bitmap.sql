-- Data types: CSV has no form for a BITMAP.
CREATE TABLE Sets (id INT, members BITMAP) WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/orders.json', 'format' = 'csv');
SELECT * FROM Sets;
