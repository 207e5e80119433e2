-- Sources: where rows come from by themselves. "cursor" is how far they came,
-- "sealed" holds their secrets, "version" counts changes of "spec".
CREATE TABLE sources (
    id          TEXT PRIMARY KEY,
    pool        TEXT NOT NULL REFERENCES pools (id),
    key         TEXT NOT NULL,
    version     BIGINT NOT NULL,
    spec        TEXT NOT NULL,
    sealed      BYTEA NOT NULL,
    cursor      TEXT NOT NULL,
    paused      BIGINT NOT NULL,
    failures    BIGINT NOT NULL DEFAULT 0,
    last_error  TEXT,
    last_run_at BIGINT,
    next_at     BIGINT,
    rows_in     BIGINT NOT NULL DEFAULT 0,
    runs_done   BIGINT NOT NULL DEFAULT 0,
    runs_failed BIGINT NOT NULL DEFAULT 0,
    created_at  BIGINT NOT NULL,
    created_by  TEXT NOT NULL,
    changed_at  BIGINT NOT NULL,
    UNIQUE (pool, key)
);

-- What sources brought, and what they failed to bring, numbered by "place".
-- "cursor" is how far the source has come once the push job is done.
CREATE TABLE source_runs (
    id         TEXT PRIMARY KEY,
    source     TEXT NOT NULL REFERENCES sources (id) ON DELETE CASCADE,
    place      BIGINT NOT NULL,
    version    BIGINT NOT NULL,
    state      TEXT NOT NULL,
    label      TEXT NOT NULL,
    file       TEXT,
    push_job   TEXT,
    cursor     TEXT NOT NULL,
    row_count  BIGINT NOT NULL DEFAULT 0,
    detail     TEXT,
    started_at BIGINT NOT NULL,
    ended_at   BIGINT,
    UNIQUE (source, place)
);

CREATE INDEX source_runs_open ON source_runs (source) WHERE state = 'RUNNING';

-- The files of watched folders, each in the version that was last looked at.
CREATE TABLE source_files (
    source      TEXT NOT NULL REFERENCES sources (id) ON DELETE CASCADE,
    name        TEXT NOT NULL,
    bytes       BIGINT NOT NULL,
    modified_at BIGINT NOT NULL,
    checksum    TEXT NOT NULL,
    state       TEXT NOT NULL,
    detail      TEXT,
    changed_at  BIGINT NOT NULL,
    PRIMARY KEY (source, name)
);

CREATE INDEX source_files_bad ON source_files (source) WHERE state = 'BAD';
