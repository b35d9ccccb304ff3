SET 'mainstem.join.late-rows' = 'drop';
CREATE TABLE t (a INT) WITH ('connector' = 'kafka', 'format' = 'json');
SELECT a FROM t;
