-- Rows of one topic of the embedded broker as transactions in another: who reads what is committed sees them when their checkpoint
-- is complete.
SET 'execution.checkpointing.interval' = '${INTERVAL}';

CREATE TABLE requests (payload BYTES) WITH (
  'connector' = 'kafka', 'topic' = 'requests', 'format' = 'raw', 'scan.startup.mode' = 'earliest-offset',
  'mainstem.auto-create-topics' = 'true'
);
CREATE TABLE results (payload BYTES) WITH (
  'connector' = 'kafka', 'topic' = 'results', 'format' = 'raw', 'mainstem.auto-create-topics' = 'true',
  'sink.delivery-guarantee' = 'exactly-once', 'sink.transactional-id-prefix' = 'results'
);

INSERT INTO results SELECT payload FROM requests;
