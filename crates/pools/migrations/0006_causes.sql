-- What led to a run of a data job: a chain of causes as text; nothing where
-- nothing is known.
ALTER TABLE data_job_runs ADD COLUMN causes TEXT;
