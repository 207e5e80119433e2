-- Connections by what they are called in flows that were drawn elsewhere,
-- such as `connection:12` and `key:34`.
CREATE TABLE connection_imports (
    imported TEXT PRIMARY KEY,
    connection TEXT NOT NULL
);
CREATE INDEX connection_imports_by_connection ON connection_imports (connection);

-- Data structures, their fields as JSON, and the ids that they had elsewhere
-- as a list in JSON.
CREATE TABLE structures (
    name TEXT PRIMARY KEY,
    spec TEXT NOT NULL,
    imported TEXT NOT NULL,
    updated_at BIGINT NOT NULL
);

-- Structures as they were when a text was stored that names them: a version of
-- a flow keeps what it began with. JSON by name.
CREATE TABLE text_structures (
    hash TEXT PRIMARY KEY,
    structures TEXT NOT NULL
);
