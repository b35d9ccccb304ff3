-- Data types: CSV has no form for a VARIANT.
CREATE TABLE Documents (id INT, document VARIANT) WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/orders.json', 'format' = 'csv');
SELECT * FROM Documents;
