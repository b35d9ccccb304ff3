CREATE TABLE ticks (id INT, symbol STRING, price INT, a BOOLEAN, b BOOLEAN, c BOOLEAN, ts TIMESTAMP(3),
  WATERMARK FOR ts AS ts - INTERVAL '2' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/data/ticks.json', 'format' = 'json');
SELECT * FROM ticks MATCH_RECOGNIZE (
  PARTITION BY symbol ORDER BY ts
  MEASURES FIRST(id) AS f, LAST(id) AS l, COUNT(V0.id) AS n0, COUNT(V1.id) AS n1, COUNT(V2.id) AS n2, COUNT(V3.id) AS n3, LAST(V3.price) AS p, SUM(V0.price) AS s, FIRST(V2.id, 1) AS g
  AFTER MATCH SKIP TO FIRST V3
  PATTERN (V0*? V1{0,2}? V2 V3+?) WITHIN INTERVAL '4' SECOND
  DEFINE V0 AS (V0.price >= LAST(V0.price, 1) OR LAST(V0.price, 1) IS NULL), V1 AS (V1.price > V0.price), V2 AS (V2.price <= LAST(V1.price, 1)) OR (NOT V2.a), V3 AS (price < 4)
) AS m;
