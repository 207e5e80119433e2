//! Data integration: pools, push jobs, chunks, CSV rules, table schemas, data models.
