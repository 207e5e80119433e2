-- Owner: mining.

-- A knowledge model. Its draft is the user's text; version 0 means that it was
-- never published.
CREATE TABLE mining_models (
    id TEXT PRIMARY KEY,
    package TEXT NOT NULL,
    model_key TEXT NOT NULL,
    display_name TEXT NOT NULL,
    draft TEXT NOT NULL,
    changed_at BIGINT NOT NULL,
    version BIGINT NOT NULL
);

-- What was published, as it was written.
CREATE TABLE mining_versions (
    model TEXT NOT NULL,
    version BIGINT NOT NULL,
    text TEXT NOT NULL,
    data_model TEXT NOT NULL,
    published_at BIGINT NOT NULL,
    published_by TEXT NOT NULL,
    PRIMARY KEY (model, version)
);

-- How far a model has fired: every commit up to `fired_through`, at the
-- instant `evaluated_at` of the process clock. Every closure that moves a
-- matched set is conditional on `epoch` and `step`, so that of two writers one
-- fails. `busy` is 1 while a difference is applied in several closures.
CREATE TABLE mining_progress (
    model TEXT PRIMARY KEY,
    epoch BIGINT NOT NULL,
    step BIGINT NOT NULL,
    fired_through BIGINT NOT NULL,
    evaluated_at BIGINT NOT NULL,
    busy BIGINT NOT NULL
);

-- A trigger that was published at least once. `silent` is 1 until what matched
-- at its publication has been taken note of. Rows stay when the trigger goes,
-- because episodes must not be counted anew.
CREATE TABLE mining_triggers (
    model TEXT NOT NULL,
    trigger_id TEXT NOT NULL,
    logic TEXT NOT NULL,
    silent BIGINT NOT NULL,
    fired BIGINT NOT NULL,
    PRIMARY KEY (model, trigger_id)
);

-- Record instances that match (1), or did once (0): the episode is remembered.
CREATE TABLE mining_matched (
    model TEXT NOT NULL,
    trigger_id TEXT NOT NULL,
    identifier TEXT NOT NULL,
    matched BIGINT NOT NULL,
    episode BIGINT NOT NULL,
    since BIGINT NOT NULL,
    PRIMARY KEY (model, trigger_id, identifier)
);

-- Process clocks. Without a row, a data model follows the wall clock. A replay
-- clock showed `shown` when the wall clock showed `wall`.
CREATE TABLE mining_clocks (
    data_model TEXT PRIMARY KEY,
    shown BIGINT NOT NULL,
    wall BIGINT NOT NULL,
    speed DOUBLE PRECISION NOT NULL
);
