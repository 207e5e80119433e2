-- Tables of the local workspace.

CREATE TABLE workspace_tokens (
    id TEXT PRIMARY KEY,
    digest BYTEA NOT NULL UNIQUE,
    comment TEXT NOT NULL,
    owner TEXT NOT NULL,
    owner_id TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT,
    revoked_at BIGINT
);

CREATE TABLE workspace_jobs (
    id BIGINT PRIMARY KEY,
    name TEXT NOT NULL,
    creator TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    settings_format BIGINT NOT NULL,
    settings TEXT NOT NULL
);

CREATE INDEX workspace_jobs_by_time ON workspace_jobs (created_at, id);

CREATE TABLE workspace_runs (
    id BIGINT PRIMARY KEY,
    job_id BIGINT,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    creator TEXT NOT NULL,
    settings_format BIGINT NOT NULL,
    settings TEXT NOT NULL,
    overriding TEXT NOT NULL,
    -- queued, active, stopping or ended; the reason of stopping, or the result
    state TEXT NOT NULL,
    outcome TEXT,
    message TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    started_at BIGINT,
    ended_at BIGINT
);

CREATE INDEX workspace_runs_by_time ON workspace_runs (created_at, id);
CREATE INDEX workspace_runs_by_job ON workspace_runs (job_id, state);
CREATE INDEX workspace_runs_open ON workspace_runs (state) WHERE state <> 'ended';

-- Tokens outlive the runs they made: a token is never free again.
CREATE TABLE workspace_run_tokens (
    job_id BIGINT NOT NULL,
    token TEXT NOT NULL,
    run_id BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (job_id, token)
);

CREATE TABLE workspace_task_runs (
    id BIGINT PRIMARY KEY,
    run_id BIGINT NOT NULL,
    task_key TEXT NOT NULL,
    position BIGINT NOT NULL,
    attempt BIGINT NOT NULL,
    original_id BIGINT NOT NULL,
    state TEXT NOT NULL,
    -- the reason of stopping, or the result
    outcome TEXT,
    started_at BIGINT,
    -- retry, deadline or kill, as the state has it
    due_at BIGINT,
    ended_at BIGINT,
    message TEXT NOT NULL,
    error TEXT,
    error_trace TEXT,
    UNIQUE (run_id, position, attempt)
);

CREATE TABLE workspace_secret_scopes (
    name TEXT PRIMARY KEY,
    created_at BIGINT NOT NULL
);

CREATE TABLE workspace_secrets (
    scope TEXT NOT NULL,
    name TEXT NOT NULL,
    sealed BYTEA NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (scope, name)
);
