-- Who may do what with jobs, programs that sign in, and from where calls may come.

-- The object is a job, or a run that belongs to no job: both are drawn from one
-- range of numbers. Rows outlive the job, because its runs do.
CREATE TABLE workspace_permissions (
    object_id BIGINT NOT NULL,
    -- user, service-principal or group
    sort TEXT NOT NULL,
    principal TEXT NOT NULL,
    -- the stable id, where it is known
    subject_id TEXT,
    level TEXT NOT NULL,
    PRIMARY KEY (object_id, sort, principal)
);

CREATE INDEX workspace_permissions_by_subject ON workspace_permissions (subject_id);
CREATE INDEX workspace_permissions_by_principal ON workspace_permissions (principal);

-- Whoever made a job before is its owner.
INSERT INTO workspace_permissions (object_id, sort, principal, subject_id, level)
SELECT id, 'user', creator, NULL, 'IS_OWNER' FROM workspace_jobs;

CREATE TABLE workspace_service_principals (
    id BIGINT PRIMARY KEY,
    application_id TEXT NOT NULL UNIQUE,
    display_name TEXT NOT NULL,
    active BIGINT NOT NULL,
    administrator BIGINT NOT NULL,
    created_at BIGINT NOT NULL
);

CREATE TABLE workspace_principal_secrets (
    id TEXT PRIMARY KEY,
    principal_id BIGINT NOT NULL,
    digest BYTEA NOT NULL UNIQUE,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);

-- Tokens that a service principal got for a secret.
CREATE TABLE workspace_access_tokens (
    digest BYTEA PRIMARY KEY,
    principal_id BIGINT NOT NULL,
    secret_id TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);

CREATE TABLE workspace_ip_lists (
    id TEXT PRIMARY KEY,
    label TEXT NOT NULL,
    -- ALLOW or BLOCK
    sort TEXT NOT NULL,
    -- JSON: addresses and ranges
    addresses TEXT NOT NULL,
    enabled BIGINT NOT NULL,
    created_by TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);

CREATE TABLE workspace_switches (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
);

-- What runs again in an ended run, and how the run stood before.
CREATE TABLE workspace_repairs (
    id BIGINT PRIMARY KEY,
    run_id BIGINT NOT NULL,
    place BIGINT NOT NULL,
    -- JSON: numbers of the task runs that it made
    task_runs TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    result TEXT NOT NULL,
    message TEXT NOT NULL,
    overriding TEXT NOT NULL,
    started_at BIGINT,
    ended_at BIGINT,
    UNIQUE (run_id, place)
);
