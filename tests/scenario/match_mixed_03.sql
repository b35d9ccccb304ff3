CREATE TABLE ticks (id INT, symbol STRING, price INT, a BOOLEAN, b BOOLEAN, c BOOLEAN, ts TIMESTAMP(3),
  WATERMARK FOR ts AS ts - INTERVAL '2' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/data/ticks.json', 'format' = 'json');
SELECT * FROM ticks MATCH_RECOGNIZE (
  ORDER BY ts, id
  MEASURES FIRST(id) AS f, LAST(id) AS l, COUNT(V0.id) AS n0, COUNT(V1.id) AS n1, COUNT(V2.id) AS n2, COUNT(V3.id) AS n3, COUNT(V4.id) AS n4, LAST(V4.price) AS p, SUM(V0.price) AS s, FIRST(V2.id, 1) AS g
  AFTER MATCH SKIP TO LAST V4
  PATTERN (V0 V1+? V2{0,2}? V3{1,3}? V4+?) WITHIN INTERVAL '12' SECOND
  DEFINE V0 AS (V0.b), V1 AS (V1.price < SUM(V0.price)) OR (V1.price <= LAST(V0.price, 1)), V2 AS (NOT V2.b), V3 AS (c), V4 AS (V4.c) AND (c)
) AS m;
