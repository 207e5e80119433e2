//! The rows: write-ahead log, hot store, Delta tables at rest, SQL.
