-- Owner: flows. File: flows.
-- Flows, their versions and connections; hooks with their queues; runs with
-- their journals and operations. Times are microseconds since 1970 (UTC).

-- Every text that a run may be pinned to, by its hash.
CREATE TABLE flow_texts (
    hash TEXT PRIMARY KEY,
    text TEXT NOT NULL
);

CREATE TABLE flows (
    key TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    draft TEXT NOT NULL,
    published TEXT,
    version BIGINT,
    active BIGINT NOT NULL,
    -- When its schedule starts it next; nothing while it is off.
    next_at BIGINT,
    variables TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);
CREATE INDEX flows_due ON flows (next_at) WHERE next_at IS NOT NULL;

CREATE TABLE flow_versions (
    flow TEXT NOT NULL,
    number BIGINT NOT NULL,
    hash TEXT NOT NULL,
    published_at BIGINT NOT NULL,
    published_by TEXT NOT NULL,
    PRIMARY KEY (flow, number)
);

CREATE TABLE connections (
    name TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    origin TEXT,
    expires_at BIGINT,
    sealed BYTEA NOT NULL,
    updated_at BIGINT NOT NULL
);

CREATE TABLE hooks (
    hook TEXT PRIMARY KEY,
    flow TEXT NOT NULL,
    -- Items that came so far, and those that still wait.
    arrived BIGINT NOT NULL,
    waiting BIGINT NOT NULL
);
CREATE INDEX hooks_with_items ON hooks (hook) WHERE waiting > 0;

-- An item stays after it was taken, without its payload, so that the same key
-- brought again is known.
CREATE TABLE hook_items (
    hook TEXT NOT NULL,
    number BIGINT NOT NULL,
    key TEXT NOT NULL,
    payload TEXT,
    arrived_at BIGINT NOT NULL,
    run TEXT,
    PRIMARY KEY (hook, number)
);
CREATE UNIQUE INDEX hook_items_by_key ON hook_items (hook, key);
CREATE INDEX hook_items_waiting ON hook_items (hook, number) WHERE run IS NULL;

CREATE TABLE runs (
    id TEXT PRIMARY KEY,
    flow TEXT NOT NULL,
    version TEXT NOT NULL,
    started_by TEXT NOT NULL,
    state TEXT NOT NULL,
    outcome TEXT,
    reason TEXT,
    -- A live run is due at this time; one that is worked on is overdue.
    wakes_at BIGINT NOT NULL,
    input TEXT NOT NULL,
    variables TEXT NOT NULL,
    seed BIGINT NOT NULL,
    operations BIGINT NOT NULL,
    started_at BIGINT NOT NULL,
    ended_at BIGINT
);
CREATE INDEX runs_due ON runs (wakes_at, id) WHERE state = 'live';
CREATE INDEX runs_by_flow ON runs (flow, id);
CREATE INDEX runs_by_state ON runs (state, outcome);

-- Effects of runs that have not ended: what was asked for, and what came of it.
CREATE TABLE journal (
    run TEXT NOT NULL,
    number BIGINT NOT NULL,
    module BIGINT NOT NULL,
    path TEXT NOT NULL,
    key TEXT NOT NULL,
    attempt BIGINT NOT NULL,
    safe BIGINT NOT NULL,
    -- 0 if it is certain that the effect was not tried since it was asked for.
    begun BIGINT NOT NULL,
    asked_at BIGINT NOT NULL,
    result TEXT,
    settled_at BIGINT,
    PRIMARY KEY (run, number)
);

CREATE TABLE operations (
    run TEXT NOT NULL,
    number BIGINT NOT NULL,
    module BIGINT NOT NULL,
    kind TEXT NOT NULL,
    path TEXT NOT NULL,
    status TEXT NOT NULL,
    status_code BIGINT,
    input TEXT NOT NULL,
    output TEXT NOT NULL,
    detail TEXT,
    started_at BIGINT NOT NULL,
    ended_at BIGINT NOT NULL,
    PRIMARY KEY (run, number)
);
