//! The local Databricks-compatible workspace: jobs, tasks, runs, tokens.
