-- Owner: flows. File: flows.
-- What the filter at the entrance of an operation said, as JSON, for those
-- operations that are stored.
ALTER TABLE operations ADD COLUMN filter TEXT;

-- Finding the few runs that did not go well among the many that did.
CREATE INDEX runs_failed ON runs (id) WHERE outcome = 'error';
CREATE INDEX runs_warning ON runs (id) WHERE outcome = 'warning';
CREATE INDEX runs_cancelled ON runs (id) WHERE outcome = 'cancelled';
