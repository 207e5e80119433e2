-- What people are told about their subscriptions. A notice is written in the
-- commit of the change that it tells of and sent afterwards, so a crash
-- neither swallows nor repeats one. `about` names the change: whoever writes
-- the same commit again writes no second notice.
CREATE TABLE subscription_notices (
    id BIGINT PRIMARY KEY,
    about TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    -- NULL: of no subscription in particular.
    subscription_id TEXT,
    name TEXT NOT NULL,
    -- NULL: for administrators.
    owner_id TEXT,
    owner_name TEXT,
    at BIGINT NOT NULL,
    text TEXT NOT NULL,
    -- waiting, sent or given-up.
    state TEXT NOT NULL,
    attempts BIGINT NOT NULL,
    due_at BIGINT NOT NULL,
    -- Why it was not sent the last time.
    detail TEXT NOT NULL,
    -- NULL: it waits.
    settled_at BIGINT
);
CREATE INDEX subscription_notices_waiting ON subscription_notices (id) WHERE settled_at IS NULL;
CREATE INDEX subscription_notices_by_owner ON subscription_notices (owner_id, id);
CREATE INDEX subscription_notices_by_age ON subscription_notices (settled_at) WHERE settled_at IS NOT NULL;

-- The last id given out, so that none comes back when old notices are removed.
CREATE TABLE subscription_notice_ids (last BIGINT NOT NULL);
INSERT INTO subscription_notice_ids (last) VALUES (0);

-- `alerts`: how many of its policy's alerts were raised since it failed.
-- `retention_near`: 1 from the notice that its queue is about to be too long
-- or too old until it is well below that again.
ALTER TABLE subscriptions ADD COLUMN alerts BIGINT NOT NULL DEFAULT 0;
ALTER TABLE subscriptions ADD COLUMN retention_near BIGINT NOT NULL DEFAULT 0;
CREATE INDEX subscriptions_with_callback ON subscriptions (id) WHERE uri IS NOT NULL;

-- Bytes of documents: `bytes` that the log holds now, `bytes_ever` since it
-- began, `bytes_through` up to and including an event. So the bytes between
-- two events are a difference, however many lie between. `day_events` counts
-- what was appended on the UTC day number `day`.
ALTER TABLE event_logs ADD COLUMN bytes BIGINT NOT NULL DEFAULT 0;
ALTER TABLE event_logs ADD COLUMN bytes_ever BIGINT NOT NULL DEFAULT 0;
ALTER TABLE event_logs ADD COLUMN day BIGINT NOT NULL DEFAULT 0;
ALTER TABLE event_logs ADD COLUMN day_events BIGINT NOT NULL DEFAULT 0;
ALTER TABLE event_log ADD COLUMN bytes_through BIGINT NOT NULL DEFAULT 0;
UPDATE event_log SET bytes_through = counted.through
    FROM (SELECT log, log_offset, SUM(octet_length(document)) OVER (PARTITION BY log ORDER BY log_offset) AS through
          FROM event_log) AS counted
    WHERE counted.log = event_log.log AND counted.log_offset = event_log.log_offset;
UPDATE event_logs SET bytes = (SELECT COALESCE(MAX(bytes_through), 0) FROM event_log WHERE event_log.log = event_logs.log);
UPDATE event_logs SET bytes_ever = bytes;

-- Looking for trouble among all attempts must not read the good ones.
CREATE INDEX deliveries_in_trouble ON deliveries (result, started_at) WHERE result <> 'delivered';
