-- Owner: flows. File: flows.
-- For whoever asks what became of signals: which flows have listened to which
-- trigger, each since when, and which runs began with which signal. The last
-- ones of a trigger are kept, also when the runs are forgotten.

CREATE TABLE flow_listening (
    flow TEXT NOT NULL,
    model TEXT NOT NULL,
    trigger_id TEXT NOT NULL,
    since BIGINT NOT NULL,
    PRIMARY KEY (flow, model, trigger_id)
);
CREATE INDEX flow_listening_to ON flow_listening (model, trigger_id);

CREATE TABLE signal_runs (
    model TEXT NOT NULL,
    trigger_id TEXT NOT NULL,
    -- Counts those of the trigger.
    number BIGINT NOT NULL,
    -- As the link of the signal names it.
    record TEXT NOT NULL,
    flow TEXT NOT NULL,
    run TEXT NOT NULL,
    started_at BIGINT NOT NULL,
    -- How the run had ended when it was forgotten.
    outcome TEXT,
    PRIMARY KEY (model, trigger_id, number)
);
CREATE INDEX signal_runs_by_time ON signal_runs (model, trigger_id, started_at);
CREATE INDEX signal_runs_of_run ON signal_runs (run);

CREATE TABLE signal_run_counts (
    model TEXT NOT NULL,
    trigger_id TEXT NOT NULL,
    runs BIGINT NOT NULL,
    -- When the last one that was forgotten had started.
    forgotten BIGINT,
    PRIMARY KEY (model, trigger_id)
);
