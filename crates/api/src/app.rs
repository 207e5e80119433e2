//! What the handlers reach: the facades, and what the door needs.

use std::sync::Arc;

use base::sql::Sql;
use base::{AddressRange, Chance, Clock};

use crate::health::Readiness;
use crate::intelligence::RequestLimits;
use crate::metrics::Metrics;
use crate::workspace::WorkspaceWays;

/// Everything that a request may need. Cloning it clones pointers.
#[derive(Clone)]
pub struct App {
    /// Who may do what.
    pub access: Arc<access::Access>,
    /// Data integration.
    pub pools: Arc<pools::Pools>,
    /// Subscriptions.
    pub events: Arc<events::Events>,
    /// Action flows.
    pub flows: Arc<flows::Flows>,
    /// The local workspace.
    pub workspace: Arc<workspace::Workspace>,
    /// In which ways it behaves as others do.
    pub workspace_ways: WorkspaceWays,
    /// Knowledge models.
    pub mining: Arc<mining::Mining>,
    /// Answers SQL over the tables of a pool.
    pub sql: Arc<dyn Sql>,
    /// Requests to the subscription API that are under way at once, at most;
    /// the next one is refused.
    pub management_requests_max: usize,
    /// How often a caller may read knowledge models and their data.
    pub intelligence_limits: RequestLimits,
    /// Bytes that a request to a webhook may have.
    pub hook_bytes_max: usize,
    /// Whose word is believed of from where a request comes.
    pub trusted_proxies: Arc<[AddressRange]>,
    /// The wall clock.
    pub clock: Arc<dyn Clock>,
    /// Where request ids come from.
    pub chance: Arc<dyn Chance>,
    /// The counters of both listeners.
    pub metrics: Arc<Metrics>,
    /// Whether the program takes work already.
    pub readiness: Arc<Readiness>,
}
