-- The effect that a run has asked for stands in its row; the journal holds
-- what came of effects, and stays after the run's end, because the history is
-- recomputed from it. Values that are long lie beside, by their hash.

ALTER TABLE runs ADD COLUMN asked BIGINT;
ALTER TABLE runs ADD COLUMN asked_module BIGINT;
ALTER TABLE runs ADD COLUMN asked_path TEXT;
ALTER TABLE runs ADD COLUMN asked_at BIGINT;
ALTER TABLE runs ADD COLUMN attempt BIGINT;
-- Repeating it does no harm.
ALTER TABLE runs ADD COLUMN safe BIGINT;
-- 0 if it is certain that it was not tried since it was asked for.
ALTER TABLE runs ADD COLUMN begun BIGINT;
-- How often the program ended while it worked on the run, since the run last
-- came on.
ALTER TABLE runs ADD COLUMN deaths BIGINT NOT NULL DEFAULT 0;
UPDATE runs SET
    asked = (SELECT number FROM journal WHERE run = runs.id AND result IS NULL),
    asked_module = (SELECT module FROM journal WHERE run = runs.id AND result IS NULL),
    asked_path = (SELECT path FROM journal WHERE run = runs.id AND result IS NULL),
    asked_at = (SELECT asked_at FROM journal WHERE run = runs.id AND result IS NULL),
    attempt = (SELECT attempt FROM journal WHERE run = runs.id AND result IS NULL),
    safe = (SELECT safe FROM journal WHERE run = runs.id AND result IS NULL),
    begun = (SELECT begun FROM journal WHERE run = runs.id AND result IS NULL)
WHERE state <> 'ended';

CREATE TABLE results (
    run TEXT NOT NULL,
    number BIGINT NOT NULL,
    module BIGINT NOT NULL,
    path TEXT NOT NULL,
    attempt BIGINT NOT NULL,
    asked_at BIGINT NOT NULL,
    settled_at BIGINT NOT NULL,
    result TEXT NOT NULL,
    PRIMARY KEY (run, number)
);
INSERT INTO results (run, number, module, path, attempt, asked_at, settled_at, result)
    SELECT run, number, module, path, attempt, asked_at, settled_at, result FROM journal WHERE result IS NOT NULL;
DROP TABLE journal;
ALTER TABLE results RENAME TO journal;

DROP INDEX runs_by_state;
CREATE INDEX runs_held ON runs (id) WHERE state = 'in-doubt' OR state = 'parked';

-- Runs that ended, by how.
CREATE TABLE run_tallies (
    flow TEXT NOT NULL,
    outcome TEXT NOT NULL,
    runs BIGINT NOT NULL,
    PRIMARY KEY (flow, outcome)
);
INSERT INTO run_tallies (flow, outcome, runs)
    SELECT flow, outcome, COUNT(*) FROM runs WHERE state = 'ended' GROUP BY flow, outcome;

-- Texts that are too long for a row, each kept once, and the runs whose rows
-- name them.
CREATE TABLE long_values (
    hash TEXT PRIMARY KEY,
    value TEXT NOT NULL
);
CREATE TABLE long_value_uses (
    hash TEXT NOT NULL,
    run TEXT NOT NULL,
    PRIMARY KEY (hash, run)
);
CREATE INDEX long_value_uses_of_run ON long_value_uses (run);
