-- Files of continuous push are push jobs too; clients of the Data Push API do
-- not see them. "led_by" is the job whose commit brings the rows of this one
-- along. "kept_until" says how long the chunk files of an ended job stay, so
-- that it can be loaded again.
ALTER TABLE push_jobs ADD COLUMN continuous BIGINT NOT NULL DEFAULT 0;
ALTER TABLE push_jobs ADD COLUMN led_by TEXT;
ALTER TABLE push_jobs ADD COLUMN kept_until BIGINT;

CREATE INDEX push_jobs_turn ON push_jobs (turn);
CREATE INDEX push_jobs_kept ON push_jobs (kept_until) WHERE kept_until IS NOT NULL;
CREATE INDEX push_jobs_items ON push_jobs (changed_at) WHERE continuous = 1;
