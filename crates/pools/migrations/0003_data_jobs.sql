-- Data jobs. "next_at" is when the schedule starts one next; "name_key" is the
-- name without case.
CREATE TABLE data_jobs (
    id         TEXT PRIMARY KEY,
    pool       TEXT NOT NULL REFERENCES pools (id),
    name_key   TEXT NOT NULL,
    spec       TEXT NOT NULL,
    next_at    BIGINT,
    created_at BIGINT NOT NULL,
    created_by TEXT NOT NULL,
    changed_at BIGINT NOT NULL,
    UNIQUE (pool, name_key)
);

CREATE INDEX data_jobs_due ON data_jobs (next_at) WHERE next_at IS NOT NULL;

-- The commit up to which a job has seen each table that it watches.
CREATE TABLE data_job_watches (
    job       TEXT NOT NULL REFERENCES data_jobs (id) ON DELETE CASCADE,
    table_key TEXT NOT NULL,
    seen      BIGINT NOT NULL,
    PRIMARY KEY (job, table_key)
);

-- Runs. Each carries the job as it was when the run was asked for.
CREATE TABLE data_job_runs (
    id         TEXT PRIMARY KEY,
    job        TEXT NOT NULL REFERENCES data_jobs (id) ON DELETE CASCADE,
    pool       TEXT NOT NULL,
    state      TEXT NOT NULL,
    cause      TEXT NOT NULL,
    spec       TEXT NOT NULL,
    error      TEXT,
    created_at BIGINT NOT NULL,
    created_by TEXT NOT NULL,
    started_at BIGINT,
    ended_at   BIGINT
);

CREATE INDEX data_job_runs_of_job ON data_job_runs (job, id);
CREATE INDEX data_job_runs_open ON data_job_runs (state, id) WHERE state IN ('QUEUED', 'RUNNING');

-- What became of each statement of a run, in order.
CREATE TABLE data_job_statements (
    run           TEXT NOT NULL REFERENCES data_job_runs (id) ON DELETE CASCADE,
    place         BIGINT NOT NULL,
    commit_number BIGINT,
    upserted      BIGINT NOT NULL,
    deleted       BIGINT NOT NULL,
    started_at    BIGINT NOT NULL,
    ended_at      BIGINT NOT NULL,
    error         TEXT,
    PRIMARY KEY (run, place)
);

-- Views, by name without case.
CREATE TABLE pool_views (
    pool       TEXT NOT NULL REFERENCES pools (id),
    name_key   TEXT NOT NULL,
    name       TEXT NOT NULL,
    query      TEXT NOT NULL,
    PRIMARY KEY (pool, name_key)
);
