-- Owner: flows. File: flows.
-- Counters that go on from run to run, by the module that counts. A run whose
-- count is performed again has the number that it had, so each run keeps the
-- last one that it took, and for which of its effects.
CREATE TABLE flow_counters (
    flow TEXT NOT NULL,
    module BIGINT NOT NULL,
    value BIGINT NOT NULL,
    PRIMARY KEY (flow, module)
);
CREATE TABLE flow_counts (
    run TEXT PRIMARY KEY,
    number BIGINT NOT NULL,
    value BIGINT NOT NULL
);

-- When attempts at incomplete executions failed that are made by themselves,
-- for as long as it matters how many there were lately.
CREATE TABLE failed_attempts (
    flow TEXT NOT NULL,
    at BIGINT NOT NULL,
    run TEXT NOT NULL,
    PRIMARY KEY (flow, at, run)
);

-- What came of the effect that was in flight when its run was cancelled.
CREATE TABLE late_results (
    run TEXT PRIMARY KEY,
    settled_at BIGINT NOT NULL,
    result TEXT NOT NULL
);

-- What lies in the place of a confidential flow goes when it is done with.
ALTER TABLE incomplete ADD COLUMN confidential BIGINT NOT NULL DEFAULT 0;
UPDATE incomplete SET confidential = 1 WHERE version IN
    (SELECT hash FROM flow_texts
     WHERE LOWER(REPLACE(REPLACE(text, ' ', ''), '"', '')) LIKE '%confidential:true%');
UPDATE incomplete SET place = '{}', detail = 'null' WHERE confidential = 1 AND state <> 'open';

-- A person asked for the attempt under way; those say nothing about the flow.
ALTER TABLE incomplete ADD COLUMN by_person BIGINT NOT NULL DEFAULT 0;
