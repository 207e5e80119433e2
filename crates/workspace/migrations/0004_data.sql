-- The data side of the workspace: statements, warehouses, queries, serving.

-- Statements with how they ended; their rows lie in files for an hour.
CREATE TABLE workspace_statements (
    id TEXT PRIMARY KEY,
    owner TEXT NOT NULL,
    owner_id TEXT NOT NULL,
    warehouse TEXT NOT NULL,
    statement TEXT NOT NULL,
    -- the words of the API: PENDING, RUNNING, SUCCEEDED, FAILED, CANCELED, CLOSED
    state TEXT NOT NULL,
    form TEXT NOT NULL,
    disposition TEXT NOT NULL,
    error_code TEXT,
    error TEXT,
    sql_state TEXT,
    -- columns and chunks, as JSON
    manifest TEXT,
    created_at BIGINT NOT NULL,
    ended_at BIGINT
);

CREATE INDEX workspace_statements_by_time ON workspace_statements (created_at, id);

CREATE TABLE workspace_warehouses (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    creator TEXT NOT NULL,
    is_running BIGINT NOT NULL,
    settings TEXT NOT NULL,
    created_at BIGINT NOT NULL
);

INSERT INTO workspace_warehouses (id, name, creator, is_running, settings, created_at)
VALUES ('local', 'local', 'admin', 1, '{}', 0);

CREATE TABLE workspace_queries (
    id TEXT PRIMARY KEY,
    owner TEXT NOT NULL,
    owner_id TEXT NOT NULL,
    document TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);

CREATE INDEX workspace_queries_by_time ON workspace_queries (created_at, id);

-- Files that COPY INTO has taken into a table, so that it takes each once.
CREATE TABLE workspace_copied_files (
    target TEXT NOT NULL,
    path TEXT NOT NULL,
    stamp TEXT NOT NULL,
    copied_at BIGINT NOT NULL,
    PRIMARY KEY (target, path, stamp)
);

CREATE TABLE workspace_secret_acls (
    scope TEXT NOT NULL,
    principal TEXT NOT NULL,
    permission TEXT NOT NULL,
    PRIMARY KEY (scope, principal)
);

CREATE TABLE workspace_endpoints (
    name TEXT PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    creator TEXT NOT NULL,
    creator_id TEXT NOT NULL,
    -- the configuration that answers, and the one that is to follow it
    config TEXT,
    pending TEXT,
    update_state TEXT NOT NULL,
    message TEXT NOT NULL,
    document TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);
