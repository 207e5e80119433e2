-- Within a subscription attempts come in the order of generation, offset and
-- number: only the head event is tried, one attempt at a time. So the primary
-- key lists them by time, and an index that says the same in other words cost
-- a third of the work of saving deliveries.
DROP INDEX deliveries_by_time;
