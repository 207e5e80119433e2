-- Owner: flows. File: flows.
-- Data stores. Structure and imported ids are JSON; `records` and `bytes` are
-- kept with each change, so that limits need no count.
CREATE TABLE data_stores (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    structure TEXT NOT NULL,
    imported TEXT NOT NULL,
    records BIGINT NOT NULL,
    bytes BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);
CREATE TABLE store_records (
    store TEXT NOT NULL,
    key TEXT NOT NULL,
    data TEXT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (store, key)
);

-- Changes of runs that commit at the end of a cycle, by the effect that made
-- them, until then. They are changes and not their outcome: two runs that
-- change one record at the same time both do, one after the other.
CREATE TABLE store_changes (
    run TEXT NOT NULL,
    number BIGINT NOT NULL,
    store TEXT NOT NULL,
    -- Whose record changes; nothing means all of the store.
    key TEXT,
    change TEXT NOT NULL,
    PRIMARY KEY (run, number)
);
CREATE INDEX store_changes_by_key ON store_changes (run, store, key);

-- What came of the last change of each run: a change that is performed again
-- after a crash has that result, and changes nothing.
CREATE TABLE store_results (
    run TEXT PRIMARY KEY,
    number BIGINT NOT NULL,
    result TEXT NOT NULL
);
