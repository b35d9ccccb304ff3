-- Windowing TVF: over a view that keeps the time attribute.
CREATE TABLE Bid (bidtime TIMESTAMP(3), price DECIMAL(10, 2), item STRING, supplier_id STRING,
  WATERMARK FOR bidtime AS bidtime - INTERVAL '1' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/bid.json', 'format' = 'json');
CREATE VIEW cheap AS SELECT item, price, bidtime FROM Bid WHERE price < 5;
SELECT item, window_start FROM TABLE(TUMBLE(TABLE cheap, DESCRIPTOR(bidtime), INTERVAL '10' MINUTES));
