-- Tasks of every kind: iterations have a parent, some attempts have details,
-- and whatever runs does so on somebody's behalf.

ALTER TABLE workspace_jobs ADD COLUMN owner TEXT;
ALTER TABLE workspace_runs ADD COLUMN run_as TEXT;
ALTER TABLE workspace_runs ADD COLUMN launched_by BIGINT;
ALTER TABLE workspace_tokens ADD COLUMN task_run BIGINT;

CREATE INDEX workspace_tokens_by_task_run ON workspace_tokens (task_run) WHERE task_run IS NOT NULL;

-- Iterations share the place of their task, so its uniqueness has to know them.
-- An attempt that is no iteration has the parent 0.
CREATE TABLE workspace_task_runs_of_all_kinds (
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
    parent_id BIGINT NOT NULL,
    iteration BIGINT NOT NULL,
    -- JSON: input, values for later tasks, outcome of a condition
    detail TEXT NOT NULL,
    UNIQUE (run_id, position, parent_id, iteration, attempt)
);

INSERT INTO workspace_task_runs_of_all_kinds
SELECT id, run_id, task_key, position, attempt, original_id, state, outcome, started_at, due_at, ended_at, message,
       error, error_trace, 0, 0, '{}'
FROM workspace_task_runs;

DROP TABLE workspace_task_runs;

ALTER TABLE workspace_task_runs_of_all_kinds RENAME TO workspace_task_runs;
