-- Imports: files that wait for a person's word, and what became of them.
CREATE TABLE imports (
    id           TEXT PRIMARY KEY,
    pool         TEXT NOT NULL REFERENCES pools (id),
    document     TEXT NOT NULL,
    created_at   BIGINT NOT NULL,
    created_by   TEXT NOT NULL,
    committed_at BIGINT
);

CREATE INDEX imports_of_pool ON imports (pool, id);

-- The files of an import that is not committed; then its jobs have them.
CREATE TABLE import_files (
    id       TEXT PRIMARY KEY,
    import   TEXT NOT NULL REFERENCES imports (id) ON DELETE CASCADE,
    place    BIGINT NOT NULL,
    name     TEXT NOT NULL,
    checksum TEXT NOT NULL,
    bytes    BIGINT NOT NULL,
    UNIQUE (import, place)
);

-- The push jobs of a committed import. A job may be deleted since.
CREATE TABLE import_jobs (
    import     TEXT NOT NULL REFERENCES imports (id) ON DELETE CASCADE,
    place      BIGINT NOT NULL,
    job        TEXT NOT NULL,
    table_name TEXT NOT NULL,
    PRIMARY KEY (import, place)
);
