-- Who stands behind a text of a flow: who published it, or else who put it as
-- a draft or ran it. A flow that calls ourselves has that one's rights.
CREATE TABLE flow_authors (
    flow TEXT NOT NULL,
    hash TEXT NOT NULL,
    author TEXT NOT NULL,
    PRIMARY KEY (flow, hash)
);
INSERT INTO flow_authors (flow, hash, author)
    SELECT flow, hash, published_by FROM flow_versions AS latest
    WHERE number = (SELECT MAX(number) FROM flow_versions WHERE flow = latest.flow AND hash = latest.hash);

-- The end of a connection of which people were told already.
ALTER TABLE connections ADD COLUMN told_of BIGINT;

-- Questions to people. A task is open as long as nobody has answered it and
-- its run has not ended, so what ends a run withdraws its tasks.
CREATE TABLE tasks (
    id TEXT PRIMARY KEY,
    run TEXT NOT NULL,
    flow TEXT NOT NULL,
    module BIGINT NOT NULL,
    title TEXT NOT NULL,
    text TEXT NOT NULL,
    -- What is shown besides, as a list of names and values in JSON.
    fields TEXT NOT NULL,
    assignee TEXT NOT NULL,
    -- When nobody needs to answer any more, and what counts as the answer then.
    deadline BIGINT,
    otherwise TEXT NOT NULL,
    -- The secret part of its address, to be found and to be told.
    token_hash TEXT NOT NULL,
    sealed_token BYTEA NOT NULL,
    created_at BIGINT NOT NULL,
    -- 1 once its run sleeps until it is answered.
    awaited BIGINT NOT NULL,
    decision TEXT,
    comment TEXT,
    answered_by TEXT,
    answered_at BIGINT
);
CREATE UNIQUE INDEX tasks_by_token ON tasks (token_hash);
CREATE INDEX tasks_unanswered ON tasks (created_at, id) WHERE decision IS NULL;
CREATE INDEX tasks_of_run ON tasks (run);
