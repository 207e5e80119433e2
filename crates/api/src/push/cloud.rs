//! What SDKs ask before they do anything: who am I, which team is this.

use access::{Permission, Scope};
use axum::Json;
use axum::extract::State;
use http::StatusCode;
use serde_json::{Value, json};

use crate::app::App;
use crate::caller::Caller;
use crate::fault::Fault;

/// Tells who is signed in.
pub(super) async fn user(State(app): State<App>, Caller(actor): Caller) -> Result<Json<Value>, Fault> {
    let team = app.access.team().await?;
    Ok(Json(json!({
        "id": actor.id,
        "name": actor.name,
        "email": null,
        "active": true,
        "role": if actor.administrator { "ADMIN" } else { "MEMBER" },
        "currentTeam": { "id": team.id, "name": team.name },
    })))
}

/// Tells what the caller may do beyond single pools and packages.
pub(super) async fn permissions(State(app): State<App>, Caller(actor): Caller) -> Result<Json<Vec<Value>>, Fault> {
    let may = async |permission| app.access.require(&actor, permission, &Scope::Team).await.is_ok();
    let mut event_collection = Vec::new();
    if may(Permission::CreatePool).await {
        event_collection.push("CREATE_DATA_POOL");
    }
    if may(Permission::AdminPool).await {
        event_collection.push("EDIT_ALL_DATA_POOLS");
    }
    let mut packages = Vec::new();
    if may(Permission::CreatePackage).await {
        packages.push("CREATE_SPACE");
    }
    Ok(Json(vec![
        json!({ "serviceName": "event-collection", "permissions": event_collection }),
        json!({ "serviceName": "package-manager", "permissions": packages }),
    ]))
}

/// Tells which team this is.
pub(super) async fn team(State(app): State<App>, Caller(_): Caller) -> Result<Json<Value>, Fault> {
    let team = app.access.team().await?;
    // The domain is the first label of a host's name there, and stands for it here.
    let domain: String = team.name.to_lowercase().chars().filter(char::is_ascii_alphanumeric).collect();
    Ok(Json(json!({ "id": team.id, "name": team.name, "domain": domain, "trackingEnabled": false })))
}

/// Says that files are not marked here. The command line of Celonis asks before
/// it writes a file, takes "forbidden" for "not switched on", and anything else
/// for a failure.
pub(super) async fn marking(Caller(_): Caller) -> Fault {
    Fault::new(StatusCode::FORBIDDEN, "marking-off", "files are not marked here")
}
