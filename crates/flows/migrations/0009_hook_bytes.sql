-- Owner: flows. File: flows.
-- Bytes of the items that wait on a hook.
ALTER TABLE hooks ADD COLUMN waiting_bytes BIGINT NOT NULL DEFAULT 0;
UPDATE hooks SET waiting_bytes = COALESCE(
    (SELECT SUM(OCTET_LENGTH(payload)) FROM hook_items WHERE hook_items.hook = hooks.hook AND run IS NULL), 0)
WHERE waiting > 0;
