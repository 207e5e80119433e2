//! The audit trail: who changed what.

use access::{Permission, Scope};
use axum::Json;
use axum::extract::State;
use base::Timestamp;
use base::actor::ActorKind;
use base::audit::Entry;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::app::App;
use crate::body::Query;
use crate::caller::Caller;
use crate::fault::Fault;

/// Which part of which trail is wanted.
#[derive(Deserialize)]
pub(super) struct Wanted {
    #[serde(default)]
    of: Trail,
    /// Entries before this one; the latest if it is left out.
    before: Option<u64>,
    #[serde(default = "usual")]
    limit: usize,
}

/// There are two trails, because there are two databases, each with its own
/// chain of hashes.
#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Trail {
    /// Keys, permissions, pools, subscriptions, models, jobs.
    #[default]
    Control,
    /// Flows, runs, connections.
    Flows,
}

fn usual() -> usize {
    100
}

/// An entry of the trail.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Row {
    sequence: u64,
    at: Timestamp,
    actor: Who,
    verb: String,
    object: What,
    before: Option<Value>,
    after: Option<Value>,
    hash: String,
}

#[derive(Serialize)]
struct Who {
    id: String,
    name: String,
    kind: ActorKind,
}

#[derive(Serialize)]
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
    let entries = match wanted.of {
        Trail::Control => app.access.audit(&actor, wanted.before, wanted.limit).await?,
        Trail::Flows => {
            app.access.require(&actor, Permission::ReadAudit, &Scope::Team).await?;
            app.flows.audit(wanted.before, wanted.limit).await?
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
