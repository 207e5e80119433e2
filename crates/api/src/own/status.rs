//! What the home page shows: how much has gone round the loop, and who looks.

use access::{Permission, Scope};
use axum::Json;
use axum::extract::State;
use base::actor::ActorKind;
use base::{Actor, Timestamp};
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::caller::Caller;
use crate::fault::Fault;
use crate::figures::{self, Figures};

/// The figures of the loop.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Status {
    #[serde(flatten)]
    figures: Figures,
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
}

/// Tells how much has gone round the loop.
pub(super) async fn status(State(app): State<App>, Caller(_): Caller) -> Result<Json<Status>, Fault> {
    let figures = figures::read(&app).await?;
    Ok(Json(Status { figures, at: app.clock.now() }))
}

/// Who is signed in.
#[derive(Serialize, ToSchema)]
pub(super) struct Me {
    id: String,
    /// What people call them.
    name: String,
    #[schema(value_type = String, example = "app-key")]
    kind: ActorKind,
    /// They may do everything.
    administrator: bool,
    may: May,
}

/// What somebody may do that is not about one pool or package.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct May {
    /// See flows, their runs and tasks.
    use_flows: bool,
    /// Start published flows, and answer their tasks.
    run_flows: bool,
    /// Change and publish flows.
    edit_flows: bool,
    /// Make and change connections.
    manage_connections: bool,
    /// Everything.
    administrate: bool,
}

/// Tells who is signed in.
pub(super) async fn me(State(app): State<App>, Caller(actor): Caller) -> Result<Json<Me>, Fault> {
    let may = async |right| app.access.may(&actor, right, &Scope::Team).await;
    let may = May {
        use_flows: may(Permission::UsePackage).await?,
        run_flows: may(Permission::RunFlows).await?,
        edit_flows: may(Permission::EditPackage).await?,
        manage_connections: may(Permission::ManageConnections).await?,
        administrate: actor.administrator,
    };
    let Actor { id, name, kind, administrator, .. } = actor;
    Ok(Json(Me { id, name, kind, administrator, may }))
}
