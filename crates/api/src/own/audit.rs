//! The audit trail: who changed what.

use access::{Permission, Scope};
use axum::Json;
use axum::extract::State;
use base::Timestamp;
use base::actor::ActorKind;
use base::audit::Entry;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use crate::app::App;
use crate::body::{Query, Whole};
use crate::caller::Caller;
use crate::fault::Fault;

/// Entries in a list, if nothing is said.
const ENTRIES_USUAL: usize = 100;

/// Which part of which trail is wanted.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Wanted {
    /// Which trail; `control` if nothing is said.
    #[serde(default)]
    #[param(inline)]
    of: Trail,
    /// Entries before this one; the latest if it is left out.
    #[param(value_type = Option<u64>, minimum = 0)]
    before: Option<Whole>,
    /// Entries at most, 100 if nothing is said.
    #[param(value_type = Option<u64>, minimum = 0)]
    limit: Option<Whole>,
}

/// There are two trails, because there are two databases, each with its own
/// chain of hashes.
#[derive(Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Trail {
    /// Keys, permissions, pools, subscriptions, models, jobs.
    #[default]
    Control,
    /// Flows, runs, connections.
    Flows,
}

/// An entry of the trail.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = AuditEntry)]
pub(super) struct Row {
    sequence: u64,
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    actor: Who,
    verb: String,
    object: What,
    #[schema(value_type = Option<Value>, required = true)]
    before: Option<Value>,
    #[schema(value_type = Option<Value>, required = true)]
    after: Option<Value>,
    hash: String,
}

#[derive(Serialize, ToSchema)]
#[schema(as = AuditActor)]
struct Who {
    id: String,
    name: String,
    #[schema(value_type = String)]
    kind: ActorKind,
}

#[derive(Serialize, ToSchema)]
#[schema(as = AuditObject)]
struct What {
    kind: String,
    id: String,
}

/// Lists entries, the latest first.
pub(super) async fn list(
    State(app): State<App>,
    Caller(actor): Caller,
    Query(wanted): Query<Wanted>,
) -> Result<Json<Vec<Row>>, Fault> {
    let before = wanted.before.map(|before| before.0);
    let limit = wanted.limit.map_or(ENTRIES_USUAL, |limit| limit.clamped(0, usize::MAX));
    let entries = match wanted.of {
        Trail::Control => app.access.audit(&actor, before, limit).await?,
        Trail::Flows => {
            app.access.require(&actor, Permission::ReadAudit, &Scope::Team).await?;
            app.flows.audit(before, limit).await?
        }
    };
    Ok(Json(entries.into_iter().map(Row::from).collect()))
}

impl From<Entry> for Row {
    fn from(entry: Entry) -> Self {
        Row {
            sequence: entry.sequence,
            at: entry.at,
            actor: Who { id: entry.actor_id, name: entry.actor_name, kind: entry.actor_kind },
            verb: entry.verb,
            object: What { kind: entry.object_kind, id: entry.object_id },
            before: entry.before,
            after: entry.after,
            hash: entry.hash,
        }
    }
}
