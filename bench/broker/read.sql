-- Everything that is done to a record before it is decoded: it is fetched, checked and cut out of its batch. The value is not
-- looked at; the first offset and the last one keep the query honest.
SET 'parallelism.default' = '${WORKERS}';

CREATE TABLE records (
  line BYTES,
  place BIGINT METADATA FROM 'offset' VIRTUAL
) WITH (
  'connector' = 'kafka',
  'topic' = '${INPUT}',
  'scan.startup.mode' = 'earliest-offset',
  'scan.bounded.mode' = 'latest-offset',
  'format' = 'raw'
);

CREATE TABLE ends (place BIGINT)
WITH ('connector' = 'filesystem', 'path' = '${OUTPUT}', 'format' = 'json');

INSERT INTO ends SELECT place FROM records WHERE place = 0 OR place = ${LAST};
