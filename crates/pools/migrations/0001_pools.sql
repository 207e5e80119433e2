-- Pools with what they have counted since the beginning.
CREATE TABLE pools (
    id            TEXT PRIMARY KEY,
    name          TEXT NOT NULL UNIQUE,
    created_at    BIGINT NOT NULL,
    created_by    TEXT NOT NULL,
    rows_in       BIGINT NOT NULL DEFAULT 0,
    jobs_done     BIGINT NOT NULL DEFAULT 0,
    jobs_failed   BIGINT NOT NULL DEFAULT 0,
    jobs_canceled BIGINT NOT NULL DEFAULT 0
);

-- Push jobs. "turn" numbers them in order of execution; "table_key" is the
-- target without case, because jobs of one table run one after the other.
CREATE TABLE push_jobs (
    id            TEXT PRIMARY KEY,
    pool          TEXT NOT NULL REFERENCES pools (id),
    table_key     TEXT NOT NULL,
    state         TEXT NOT NULL,
    spec          TEXT NOT NULL,
    logs          TEXT NOT NULL,
    turn          BIGINT,
    commit_number BIGINT,
    upserted      BIGINT,
    deleted       BIGINT,
    created_at    BIGINT NOT NULL,
    created_by    TEXT NOT NULL,
    executed_at   BIGINT,
    changed_at    BIGINT NOT NULL
);

CREATE INDEX push_jobs_of_pool ON push_jobs (pool, id);
CREATE INDEX push_jobs_open ON push_jobs (state, table_key, turn)
    WHERE state IN ('NEW', 'QUEUED', 'RUNNING');

CREATE TABLE push_job_chunks (
    id         TEXT PRIMARY KEY,
    job        TEXT NOT NULL REFERENCES push_jobs (id) ON DELETE CASCADE,
    place      BIGINT NOT NULL,
    kind       TEXT NOT NULL,
    file_name  TEXT NOT NULL,
    checksum   TEXT NOT NULL,
    bytes      BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    UNIQUE (job, place)
);

-- Every version of every data model; the highest is the present one.
CREATE TABLE data_models (
    pool       TEXT NOT NULL REFERENCES pools (id),
    key        TEXT NOT NULL,
    version    BIGINT NOT NULL,
    id         TEXT NOT NULL,
    spec       TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    created_by TEXT NOT NULL,
    PRIMARY KEY (pool, key, version)
);
