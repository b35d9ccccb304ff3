CREATE TABLE bids (auction INT, bidder STRING, price DOUBLE, quantity INT, fee DECIMAL(10, 2), ok BOOLEAN, ts TIMESTAMP(3),
  WATERMARK FOR ts AS ts - INTERVAL '1' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/data/bids.json', 'format' = 'json');
SELECT auction / 4 AS i, auction / 4.0 AS d, auction % 4 AS m, quantity * fee AS qf, fee / 3 AS f3, fee + fee AS ff, price / 3 AS p3, -quantity AS neg FROM bids;
