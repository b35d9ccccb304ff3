CREATE TABLE ticks (id INT, symbol STRING, price INT, a BOOLEAN, b BOOLEAN, c BOOLEAN, ts TIMESTAMP(3),
  WATERMARK FOR ts AS ts - INTERVAL '2' SECOND)
WITH ('connector' = 'filesystem', 'path' = '${DIR}/data/ticks.json', 'format' = 'json');
SELECT * FROM ticks MATCH_RECOGNIZE (
  ORDER BY ts
  MEASURES FIRST(id) AS f, LAST(id) AS l, COUNT(V0.id) AS n0, COUNT(V1.id) AS n1, COUNT(V2.id) AS n2, COUNT(V3.id) AS n3, COUNT(V4.id) AS n4, LAST(V4.price) AS p, SUM(V0.price) AS s, FIRST(V2.id, 1) AS g
  AFTER MATCH SKIP TO NEXT ROW
  PATTERN (V0{1,3}? V1? V2{2} V3{1,3}? V4*?) WITHIN INTERVAL '4' SECOND
  DEFINE V0 AS (price < 5), V1 AS (price < 8), V3 AS (V3.price > V1.price), V4 AS (V4.price < SUM(V0.price)) OR (V4.price < FIRST(V0.price))
) AS m;
