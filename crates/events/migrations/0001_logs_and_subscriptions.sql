-- One log per trigger. `head` is the last offset given out; it moves in the
-- transaction that appends, so that no offset is given out twice, not even by
-- a transaction that is rolled back or a crash. Everything up to `trimmed` has
-- been removed. The counters keep what the callbacks of deleted subscriptions
-- had received.
CREATE TABLE event_logs (
    log BIGINT PRIMARY KEY,
    knowledge_model TEXT NOT NULL,
    trigger_id TEXT NOT NULL,
    head BIGINT NOT NULL,
    trimmed BIGINT NOT NULL,
    delivered_before BIGINT NOT NULL,
    failures_before BIGINT NOT NULL,
    UNIQUE (knowledge_model, trigger_id)
);

-- `document` is the inner object of the callback's body, as first written: it
-- is never parsed and written again, so that a replay sends the same bytes.
CREATE TABLE event_log (
    log BIGINT NOT NULL,
    log_offset BIGINT NOT NULL,
    event_key TEXT NOT NULL,
    event_id TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    appended_at BIGINT NOT NULL,
    document TEXT NOT NULL,
    PRIMARY KEY (log, log_offset)
);
CREATE UNIQUE INDEX event_log_by_key ON event_log (log, event_key);

CREATE TABLE subscriptions (
    id TEXT PRIMARY KEY,
    log BIGINT NOT NULL,
    name TEXT NOT NULL,
    owner_id TEXT NOT NULL,
    owner_name TEXT NOT NULL,
    -- An https callback has a uri and sealed headers, a local one has a hook.
    uri TEXT,
    headers_sealed BYTEA,
    hook TEXT,
    policy TEXT NOT NULL,
    birth BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    -- From here on the standing, which every group commit overwrites.
    state TEXT NOT NULL,
    reason TEXT NOT NULL,
    -- Of a failed one.
    failed_since BIGINT,
    -- Of a suspended one: 1 if its events wait, 0 if they are lost.
    queue_kept BIGINT,
    generation BIGINT NOT NULL,
    cursor_offset BIGINT NOT NULL,
    floor_offset BIGINT NOT NULL,
    reached_offset BIGINT NOT NULL,
    attempts BIGINT NOT NULL,
    due_at BIGINT NOT NULL,
    last_success_offset BIGINT,
    last_success_at BIGINT,
    delivered BIGINT NOT NULL,
    failures BIGINT NOT NULL
);
CREATE INDEX subscriptions_by_log ON subscriptions (log);
CREATE INDEX subscriptions_by_owner ON subscriptions (owner_id);
CREATE UNIQUE INDEX subscriptions_by_hook ON subscriptions (hook, log) WHERE hook IS NOT NULL;

-- Signing secrets, newest first by `made_at`; all that are valid sign.
CREATE TABLE subscription_secrets (
    subscription_id TEXT NOT NULL,
    made_at BIGINT NOT NULL,
    sealed BYTEA NOT NULL,
    -- NULL: until a rotation ends it.
    valid_until BIGINT,
    -- The owner reads it once.
    read_at BIGINT,
    PRIMARY KEY (subscription_id, made_at)
);

-- Events that a subscription passed over without success, and why. Written in
-- the commit that moves its cursor over them.
CREATE TABLE subscription_skips (
    subscription_id TEXT NOT NULL,
    generation BIGINT NOT NULL,
    first_offset BIGINT NOT NULL,
    last_offset BIGINT NOT NULL,
    reason TEXT NOT NULL,
    at BIGINT NOT NULL,
    PRIMARY KEY (subscription_id, generation, first_offset)
);

-- Every attempt, for people. Diagnosis, not truth: the cursor is the truth.
CREATE TABLE deliveries (
    subscription_id TEXT NOT NULL,
    generation BIGINT NOT NULL,
    log_offset BIGINT NOT NULL,
    attempt BIGINT NOT NULL,
    event_id TEXT NOT NULL,
    started_at BIGINT NOT NULL,
    took_ms BIGINT NOT NULL,
    result TEXT NOT NULL,
    -- NULL: there was no answer.
    status BIGINT,
    detail TEXT NOT NULL,
    answer TEXT NOT NULL,
    -- NULL: not tried again.
    next_at BIGINT,
    PRIMARY KEY (subscription_id, generation, log_offset, attempt)
);
CREATE INDEX deliveries_by_time ON deliveries (subscription_id, started_at);
CREATE INDEX deliveries_by_age ON deliveries (started_at);
