-- Owner: mining.

-- Episodes of record instances in the sets of triggers, for whoever asks what
-- became of them. Those that last are all here, of those that ended the last.
CREATE TABLE mining_episodes (
    model TEXT NOT NULL,
    trigger_id TEXT NOT NULL,
    identifier TEXT NOT NULL,
    episode BIGINT NOT NULL,
    -- 0 of one that was found in the set: when it began is not known.
    seen BIGINT NOT NULL,
    -- 0 once the process clock was set back while it lasted.
    timed BIGINT NOT NULL,
    -- On the process clock, and when it was written down.
    entered_at BIGINT NOT NULL,
    entered_recorded BIGINT NOT NULL,
    -- How it ended, and when; nothing while it lasts.
    ending TEXT,
    left_at BIGINT,
    left_recorded BIGINT,
    -- Counts those of the trigger that ended: the first are forgotten first.
    ended BIGINT,
    PRIMARY KEY (model, trigger_id, identifier, episode)
);
CREATE INDEX mining_episodes_by_time ON mining_episodes (model, trigger_id, entered_at);
CREATE INDEX mining_episodes_ended ON mining_episodes (model, trigger_id, ended) WHERE ended IS NOT NULL;
CREATE INDEX mining_episodes_open ON mining_episodes (model, trigger_id, identifier) WHERE ended IS NULL;

-- What matched before episodes were written down was found so.
INSERT INTO mining_episodes
    (model, trigger_id, identifier, episode, seen, timed, entered_at, entered_recorded)
    SELECT model, trigger_id, identifier, episode, 0, 1, since, since FROM mining_matched WHERE matched = 1;

-- How many episodes of a trigger began, seen or found, and how many ended.
CREATE TABLE mining_episode_counts (
    model TEXT NOT NULL,
    trigger_id TEXT NOT NULL,
    entered BIGINT NOT NULL,
    found BIGINT NOT NULL,
    ended BIGINT NOT NULL,
    -- When the last one that was forgotten had entered.
    forgotten BIGINT,
    PRIMARY KEY (model, trigger_id)
);
INSERT INTO mining_episode_counts (model, trigger_id, entered, found, ended)
    SELECT model, trigger_id, 0, COUNT(*), 0 FROM mining_episodes GROUP BY model, trigger_id;

-- Of those that ended, how many did in which way.
CREATE TABLE mining_episode_endings (
    model TEXT NOT NULL,
    trigger_id TEXT NOT NULL,
    ending TEXT NOT NULL,
    episodes BIGINT NOT NULL,
    PRIMARY KEY (model, trigger_id, ending)
);
