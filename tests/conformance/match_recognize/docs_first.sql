-- MATCH_RECOGNIZE: the first example of the documentation, a price that falls and rises.
CREATE TABLE Ticker (symbol STRING, price INT, tax INT, row_time TIMESTAMP(3),
  WATERMARK FOR row_time AS row_time - INTERVAL '2' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/../data/ticker.json', 'format' = 'json');
SELECT * FROM Ticker MATCH_RECOGNIZE (
  PARTITION BY symbol ORDER BY row_time
  MEASURES START_ROW.row_time AS start_tstamp, LAST(PRICE_DOWN.row_time) AS bottom_tstamp, LAST(PRICE_UP.row_time) AS end_tstamp
  ONE ROW PER MATCH AFTER MATCH SKIP TO LAST PRICE_UP
  PATTERN (START_ROW PRICE_DOWN+ PRICE_UP)
  DEFINE PRICE_DOWN AS (LAST(PRICE_DOWN.price, 1) IS NULL AND PRICE_DOWN.price < START_ROW.price) OR PRICE_DOWN.price < LAST(PRICE_DOWN.price, 1),
         PRICE_UP AS PRICE_UP.price > LAST(PRICE_DOWN.price, 1)
) MR;
