-- Owner: base. One row per change that somebody made, written in the
-- transaction of the change. Rows are only ever added.
CREATE TABLE audit (
    sequence    BIGINT PRIMARY KEY,
    at          BIGINT NOT NULL,
    actor_id    TEXT NOT NULL,
    actor_name  TEXT NOT NULL,
    actor_kind  TEXT NOT NULL,
    verb        TEXT NOT NULL,
    object_kind TEXT NOT NULL,
    object_id   TEXT NOT NULL,
    before      TEXT,
    after       TEXT,
    hash        TEXT NOT NULL
);
CREATE INDEX audit_by_object ON audit (object_kind, object_id, sequence);
