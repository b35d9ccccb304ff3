CREATE TABLE bids (auction INT, bidder STRING, price DOUBLE, quantity INT, ts TIMESTAMP(3), pt AS PROCTIME())
WITH ('connector' = 'filesystem', 'path' = '${DIR}/data/bids.json', 'format' = 'json');
SELECT bidder, auction, price FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY bidder, auction ORDER BY pt DESC) AS rn FROM bids) WHERE rn = 1;
