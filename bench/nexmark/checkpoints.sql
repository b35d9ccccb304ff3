-- For a pipeline that is killed and goes on: the first checkpoint has gigabytes.
SET 'execution.checkpointing.interval' = '9 s';
SET 'execution.checkpointing.num-retained' = '1';
