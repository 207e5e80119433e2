//! What the numbers in flows that were drawn elsewhere stand for here.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::{Path, State};
use flows::brought::Imported;
use http::StatusCode;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::body;
use crate::caller::Caller;
use crate::fault::Fault;
use crate::rights;

/// Which of ours a number stands for.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ImportMapping)]
pub(super) struct Mapping {
    /// Name of a connection, a hook or a data store.
    name: String,
}

/// Lists what is mapped: `connection:12`, `key:34`, `hook:77` and `datastore:5`, each with
/// the name of ours.
pub(super) async fn list(
    State(app): State<App>,
    Caller(actor): Caller,
) -> Result<Json<BTreeMap<String, String>>, Fault> {
    rights::use_flows(&app, &actor).await?;
    Ok(Json(app.flows.imports().await?))
}

/// Maps a number to one of ours; the right is that to change what it maps to.
pub(super) async fn map(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(imported): Path<String>,
    body::Json(mapping): body::Json<Mapping>,
) -> Result<StatusCode, Fault> {
    let imported: Imported = imported.parse().map_err(|error: flows::brought::NotImported| {
        Fault::invalid("imported", "import-invalid", error.to_string())
    })?;
    match imported {
        Imported::Connection(_) => rights::manage_connections(&app, &actor).await?,
        Imported::Hook(_) | Imported::Store(_) => rights::edit_flows(&app, &actor).await?,
    }
    app.flows.map_import(&actor, imported, &mapping.name).await?;
    Ok(StatusCode::NO_CONTENT)
}
