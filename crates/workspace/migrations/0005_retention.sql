-- Runs that ended long ago are found by their end, and endpoints have rules.

CREATE INDEX workspace_runs_by_end ON workspace_runs (ended_at) WHERE state = 'ended';

-- Deleted runs have left their repairs behind.
DELETE FROM workspace_repairs WHERE run_id NOT IN (SELECT id FROM workspace_runs);

CREATE TABLE workspace_endpoint_rules (
    endpoint_id TEXT NOT NULL,
    -- user, service-principal or group
    sort TEXT NOT NULL,
    principal TEXT NOT NULL,
    -- CAN_VIEW, CAN_QUERY or CAN_MANAGE
    level TEXT NOT NULL,
    PRIMARY KEY (endpoint_id, sort, principal)
);

-- Everybody could call what there was before; that is not taken away.
INSERT INTO workspace_endpoint_rules (endpoint_id, sort, principal, level)
SELECT id, 'group', 'users', 'CAN_QUERY' FROM workspace_endpoints;
