-- The last event that an attempt carried; NULL where it carried one event.
ALTER TABLE deliveries ADD COLUMN through_offset BIGINT;
