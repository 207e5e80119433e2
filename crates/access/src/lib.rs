//! Who may do what: team, users, app keys, packages, permissions, and reading the audit trail.
