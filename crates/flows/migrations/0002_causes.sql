-- What led to an item, the item itself last, and to the start bundles of a
-- run: chains of causes as text, of a run one per bundle in a JSON array.
ALTER TABLE hook_items ADD COLUMN causes TEXT;
ALTER TABLE runs ADD COLUMN causes TEXT;

-- Why a flow is paused, and since when; people were told or not.
ALTER TABLE flows ADD COLUMN paused TEXT;
ALTER TABLE flows ADD COLUMN paused_at BIGINT;
ALTER TABLE flows ADD COLUMN told BIGINT NOT NULL DEFAULT 1;

-- When the chain of an item that a flow took had been at the same link before.
CREATE TABLE flow_returns (
    flow TEXT NOT NULL,
    link TEXT NOT NULL,
    at BIGINT NOT NULL
);
CREATE INDEX flow_returns_of_link ON flow_returns (flow, link, at);
