-- Owner: base. What is to be done at some time, and who does it at present.
CREATE TABLE due_work (
    id          TEXT PRIMARY KEY,
    kind        TEXT NOT NULL,
    key         TEXT NOT NULL,
    due_at      BIGINT NOT NULL,
    attempt     BIGINT NOT NULL,
    payload     TEXT NOT NULL,
    lease_owner TEXT,
    lease_until BIGINT,
    epoch       BIGINT NOT NULL,
    revision    BIGINT NOT NULL,
    UNIQUE (kind, key)
);
CREATE INDEX due_work_by_time ON due_work (kind, due_at);
