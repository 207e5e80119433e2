-- Jobs that run by themselves, and word of how runs went.

-- What started the run, in the word of the API.
ALTER TABLE workspace_runs ADD COLUMN cause TEXT NOT NULL DEFAULT 'ONE_TIME';
UPDATE workspace_runs SET cause = 'RUN_JOB_TASK' WHERE launched_by IS NOT NULL;
-- When it was said that the run takes long.
ALTER TABLE workspace_runs ADD COLUMN warned_at BIGINT;

-- One row for each job that runs by itself and is not paused.
CREATE TABLE workspace_timetables (
    job_id BIGINT PRIMARY KEY,
    -- nothing while a continuous job runs, or when there is no further time
    due_at BIGINT,
    -- runs of a continuous job that failed one after the other
    failures BIGINT NOT NULL
);

CREATE INDEX workspace_timetables_by_time ON workspace_timetables (due_at);

CREATE TABLE workspace_destinations (
    id TEXT PRIMARY KEY,
    display_name TEXT NOT NULL,
    -- WEBHOOK or SLACK
    sort TEXT NOT NULL,
    -- JSON, sealed: the address may hold a secret too
    sealed BYTEA NOT NULL,
    created_at BIGINT NOT NULL
);

-- What is still to be told. A row goes when it was told, or after a day.
CREATE TABLE workspace_notices (
    id TEXT PRIMARY KEY,
    destination_id TEXT NOT NULL,
    run_id BIGINT NOT NULL,
    event TEXT NOT NULL,
    -- JSON: job and name
    told TEXT NOT NULL,
    attempts BIGINT NOT NULL,
    due_at BIGINT NOT NULL,
    created_at BIGINT NOT NULL
);

CREATE INDEX workspace_notices_by_time ON workspace_notices (due_at);
