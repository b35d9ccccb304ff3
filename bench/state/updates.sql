-- Tables that change all the time, over a number of keys that does not grow: sums, the last row of each key, their join, and sums of
-- sums. Probes go through the same steps, and say how long a record takes.
SET 'parallelism.default' = '${WORKERS}';
SET 'execution.checkpointing.interval' = '10 s';

CREATE TABLE events (u BIGINT, v BIGINT, at AS PROCTIME()) WITH (
  'connector' = 'datagen', 'rows-per-second' = '1000000000',
  'fields.u.min' = '0', 'fields.u.max' = '${LAST}', 'fields.v.min' = '0', 'fields.v.max' = '1000'
);
CREATE TABLE probes (sent BIGINT) WITH ('connector' = 'kafka', 'topic' = 'probes', 'format' = 'json', 'scan.startup.mode' = 'latest-offset', 'mainstem.auto-create-topics' = 'true');
CREATE TABLE seen (sent BIGINT) WITH ('connector' = 'kafka', 'topic' = 'seen', 'format' = 'json');
CREATE TABLE joined (u BIGINT, n BIGINT, s BIGINT, v BIGINT) WITH ('connector' = 'blackhole');
CREATE TABLE summed (part BIGINT, users BIGINT, n BIGINT, s BIGINT) WITH ('connector' = 'blackhole');

CREATE VIEW totals AS SELECT u, COUNT(*) AS n, SUM(v) AS s FROM events GROUP BY u;
CREATE VIEW latest AS SELECT u, v FROM (
  SELECT u, v, ROW_NUMBER() OVER (PARTITION BY u ORDER BY at DESC) AS place FROM events
) AS e WHERE place = 1;

INSERT INTO joined SELECT t.u, t.n, t.s, l.v FROM totals AS t JOIN latest AS l ON t.u = l.u;
INSERT INTO summed SELECT MOD(u, 1000), COUNT(*), SUM(n), SUM(s) FROM totals GROUP BY MOD(u, 1000);
INSERT INTO seen SELECT sent FROM probes;
