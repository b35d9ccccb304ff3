-- Of ROWs only the fields that are read; what a filter makes a constant decides the CASE above it.
CREATE TABLE events (
  kind INT,
  person ROW<id BIGINT, at TIMESTAMP(3), home ROW<city STRING, street STRING>>,
  bid ROW<id BIGINT, price BIGINT, extra STRING, at TIMESTAMP(3)>,
  at AS CASE WHEN kind = 0 THEN person.at ELSE bid.at END,
  WATERMARK FOR at AS at - INTERVAL '4' SECOND
) WITH ('connector' = 'filesystem', 'path' = 'x', 'format' = 'json');
CREATE VIEW bids AS SELECT bid.id, bid.price, bid.extra, at FROM events WHERE kind = 1;

-- person is not read at all, and the kind is known.
EXPLAIN SELECT id, price * 2, at FROM bids;
-- A filter that the decoder does not apply copies fields, not the ROW.
EXPLAIN SELECT id, at FROM bids WHERE price * 2 > 10;
-- A field of a field.
EXPLAIN SELECT person.home.city FROM events WHERE person.home.city <> 'x';
-- The whole ROW is read.
EXPLAIN SELECT person, person.id FROM events;
-- The watermark needs the computed column in the scan; the decoder's filter still decides it.
EXPLAIN SELECT window_start, SUM(price) FROM TABLE(TUMBLE(TABLE bids, DESCRIPTOR(at), INTERVAL '1' MINUTE))
GROUP BY window_start, window_end;

CREATE TABLE changes (id INT, body ROW<a INT, b INT>)
WITH ('connector' = 'kafka', 'format' = 'debezium-json');
-- This format takes whole ROWs.
EXPLAIN SELECT body.a FROM changes;
