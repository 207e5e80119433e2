-- Addresses at which requests from outside reach a hook. The queue of one is
-- the row of `hooks` named 'hook.' and its name; it is there as long as this.
CREATE TABLE webhooks (
    name TEXT PRIMARY KEY,
    -- The secret part of its address, to be found and to be shown.
    token_hash TEXT NOT NULL,
    sealed_token BYTEA NOT NULL,
    settings TEXT NOT NULL,
    -- What a request to it has, as a list of fields; and since when the next
    -- request shall tell.
    learned TEXT,
    learned_at BIGINT,
    listening_since BIGINT,
    -- Requests that did not fit the structure.
    refused BIGINT NOT NULL,
    ignored BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX webhooks_by_token ON webhooks (token_hash);
