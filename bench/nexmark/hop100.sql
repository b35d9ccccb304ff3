-- Not of Nexmark: as `tumble`, but a window of 10 seconds begins each 100 milliseconds.
CREATE TABLE nexmark_hop100 (part BIGINT, window_end TIMESTAMP(3), bids BIGINT, total BIGINT, average BIGINT) WITH (${SINK});

INSERT INTO nexmark_hop100
SELECT part, window_end, COUNT(*), SUM(price), AVG(price)
FROM TABLE(HOP(TABLE parts, DESCRIPTOR(`dateTime`), INTERVAL '0.1' SECOND, INTERVAL '10' SECOND))
GROUP BY part, window_start, window_end;
