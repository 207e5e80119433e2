-- Owner: mining.

-- The texts that a published text extends, as they were when it was published:
-- a JSON list, the nearest first.
ALTER TABLE mining_versions ADD COLUMN bases TEXT NOT NULL DEFAULT '[]';

-- The version whose text was published again, if it was a rollback.
ALTER TABLE mining_versions ADD COLUMN of_version BIGINT;
