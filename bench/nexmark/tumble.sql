-- Not of Nexmark: bids of ten parts in windows of 10 seconds, beside `hop100`, which shows them a hundred times as often.
CREATE TABLE nexmark_tumble (part BIGINT, window_end TIMESTAMP(3), bids BIGINT, total BIGINT, average BIGINT) WITH (${SINK});

INSERT INTO nexmark_tumble
SELECT part, window_end, COUNT(*), SUM(price), AVG(price)
FROM TABLE(TUMBLE(TABLE parts, DESCRIPTOR(`dateTime`), INTERVAL '10' SECOND))
GROUP BY part, window_start, window_end;
