-- Failed bundles that wait to go on, flows that fail too often, and flows that
-- call one another.

CREATE TABLE incomplete (
    id TEXT PRIMARY KEY,
    flow TEXT NOT NULL,
    -- The run in which it failed, and the text that ran.
    run TEXT NOT NULL,
    version TEXT NOT NULL,
    module BIGINT NOT NULL,
    -- Class, message and detail of the failure.
    class TEXT NOT NULL,
    message TEXT NOT NULL,
    detail TEXT NOT NULL,
    -- From where it goes on; never shown, because it has what no history shows.
    place TEXT NOT NULL,
    state TEXT NOT NULL,
    -- Attempts at this place so far, and how it is tried again by itself.
    attempts BIGINT NOT NULL,
    retry TEXT NOT NULL,
    retry_at BIGINT,
    -- The attempt under way.
    retry_run TEXT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);
CREATE INDEX incomplete_of_flow ON incomplete (flow, created_at, id);
CREATE INDEX incomplete_of_run ON incomplete (run);
CREATE INDEX incomplete_open ON incomplete (flow) WHERE state = 'open';
CREATE INDEX incomplete_due ON incomplete (retry_at) WHERE state = 'open' AND retry_at IS NOT NULL;
CREATE INDEX incomplete_tried ON incomplete (retry_run) WHERE retry_run IS NOT NULL;

-- Failed runs in a row that count, and those that are tried again later with
-- growing delays; until when nothing starts a run; why it was switched off.
ALTER TABLE flows ADD COLUMN failures BIGINT NOT NULL DEFAULT 0;
ALTER TABLE flows ADD COLUMN reruns BIGINT NOT NULL DEFAULT 0;
ALTER TABLE flows ADD COLUMN held_until BIGINT;
ALTER TABLE flows ADD COLUMN switched_off TEXT;
CREATE INDEX flows_held ON flows (held_until) WHERE held_until IS NOT NULL;

-- What people are to be told of and were not yet.
CREATE TABLE flow_notices (
    flow TEXT NOT NULL,
    at BIGINT NOT NULL,
    text TEXT NOT NULL,
    PRIMARY KEY (flow, at)
);

-- Runs that other runs started, how deep, and whether those wait for them.
CREATE TABLE flow_calls (
    child TEXT PRIMARY KEY,
    caller TEXT NOT NULL,
    depth BIGINT NOT NULL,
    waits BIGINT NOT NULL
);

-- What runs gave back.
CREATE TABLE run_outputs (
    run TEXT PRIMARY KEY,
    outputs TEXT NOT NULL
);
