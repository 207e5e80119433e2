//! What the data says: event log, PQL, knowledge models, triggers, signals.
