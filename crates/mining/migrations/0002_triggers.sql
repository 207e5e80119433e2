-- Owner: mining.

-- When the instance last fired, on the process clock; nothing if it never did,
-- such as those that were known from the start.
ALTER TABLE mining_matched ADD COLUMN fired_at BIGINT;

-- Signals that a trigger in shadow mode has recorded instead of sending them.
ALTER TABLE mining_triggers ADD COLUMN shadowed BIGINT NOT NULL DEFAULT 0;

-- Signals that a cap holds back. They are fired later, in the order of `place`.
CREATE TABLE mining_held (
    model TEXT NOT NULL,
    trigger_id TEXT NOT NULL,
    place BIGINT NOT NULL,
    signal TEXT NOT NULL,
    PRIMARY KEY (model, trigger_id, place)
);

-- The last signals of triggers in shadow mode.
CREATE TABLE mining_shadow (
    model TEXT NOT NULL,
    trigger_id TEXT NOT NULL,
    place BIGINT NOT NULL,
    signal TEXT NOT NULL,
    PRIMARY KEY (model, trigger_id, place)
);
