//! What the home page shows: how much has gone round the loop, and who looks.

use axum::Json;
use axum::extract::State;
use base::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};

use crate::app::App;
use crate::caller::Caller;
use crate::fault::Fault;
use crate::figures::{self, Figures};

/// The figures of the loop.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Status {
    #[serde(flatten)]
    figures: Figures,
    at: Timestamp,
}

/// Tells how much has gone round the loop.
pub(super) async fn status(State(app): State<App>, Caller(_): Caller) -> Result<Json<Status>, Fault> {
    let figures = figures::read(&app).await?;
    Ok(Json(Status { figures, at: app.clock.now() }))
}

/// Tells who is signed in.
pub(super) async fn me(Caller(actor): Caller) -> Json<Value> {
    Json(json!({
        "id": actor.id,
        "name": actor.name,
        "kind": actor.kind,
        "administrator": actor.administrator,
    }))
}
