//! What the handlers reach: the facades, and what the door needs.

use std::sync::Arc;

use base::sql::Sql;
use base::{Chance, Clock};

use crate::health::Readiness;
use crate::metrics::Metrics;

/// Everything that a request may need. Cloning it clones pointers.
#[derive(Clone)]
pub struct App {
    /// Answers SQL over the tables of a pool.
    pub sql: Arc<dyn Sql>,
    /// The wall clock.
    pub clock: Arc<dyn Clock>,
    /// Where request ids come from.
    pub chance: Arc<dyn Chance>,
    /// The counters of both listeners.
    pub metrics: Arc<Metrics>,
    /// What the program still waits for.
    pub readiness: Arc<Readiness>,
}
