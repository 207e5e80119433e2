-- Databricks: what runs of flows wait for there, which calls were made, and how
-- far the starts have looked that begin with the end of a workspace's run.

-- A conversation with a workspace that outlives the program: what is known of
-- it, and, while something is under way there, when somebody looks at it.
CREATE TABLE databricks_effects (
    run TEXT NOT NULL,
    effect BIGINT NOT NULL,
    flow TEXT NOT NULL,
    version TEXT NOT NULL,
    module TEXT NOT NULL,
    connection TEXT NOT NULL,
    known TEXT NOT NULL,
    -- `run` or `statement`, and its id; nothing while nothing is under way.
    kind TEXT,
    watched TEXT,
    since BIGINT NOT NULL,
    -- Nothing once it has ended.
    look_at BIGINT,
    failing_since BIGINT,
    ended TEXT,
    PRIMARY KEY (run, effect)
);
CREATE INDEX databricks_effects_open ON databricks_effects (look_at) WHERE look_at IS NOT NULL;

-- One row for each call; rows are only added, until they are too old.
CREATE TABLE databricks_calls (
    id TEXT PRIMARY KEY,
    at BIGINT NOT NULL,
    connection TEXT NOT NULL,
    workspace TEXT NOT NULL,
    who TEXT NOT NULL,
    flow TEXT,
    version TEXT,
    run TEXT,
    operation TEXT NOT NULL,
    method TEXT NOT NULL,
    path TEXT NOT NULL,
    token TEXT,
    databricks_run TEXT,
    status BIGINT,
    error_code TEXT,
    duration_ms BIGINT NOT NULL,
    request_hash TEXT NOT NULL
);
CREATE INDEX databricks_calls_by_connection ON databricks_calls (connection, id);
CREATE INDEX databricks_calls_by_age ON databricks_calls (at);

-- Flows that start when a run ends: since when, and when somebody looks next.
CREATE TABLE databricks_starts (
    flow TEXT PRIMARY KEY,
    connection TEXT NOT NULL,
    since BIGINT NOT NULL,
    -- When somebody last could look.
    looked_at BIGINT NOT NULL,
    look_at BIGINT NOT NULL
);

-- Runs of which such a flow knows that they have not ended, or was told that
-- they have; `long` once it was told that one takes too long.
CREATE TABLE databricks_open_runs (
    flow TEXT NOT NULL,
    databricks_run BIGINT NOT NULL,
    long BIGINT NOT NULL,
    PRIMARY KEY (flow, databricks_run)
);

-- Runs that have ended, and when they last did: one that is repaired ends again.
CREATE TABLE databricks_ended_runs (
    flow TEXT NOT NULL,
    databricks_run BIGINT NOT NULL,
    ended_at BIGINT NOT NULL,
    seen_at BIGINT NOT NULL,
    PRIMARY KEY (flow, databricks_run)
);
