-- For a pipeline that is killed and goes on. Flink reads the same text.
SET 'execution.checkpointing.interval' = '9 s';
SET 'execution.checkpointing.num-retained' = '1';
