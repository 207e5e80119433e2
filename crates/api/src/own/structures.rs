//! Data structures: which fields data has, of which types. Flows name them
//! where they create JSON or CSV, and webhooks where they check what comes.

use axum::Json;
use axum::extract::{Path, State};
use base::Timestamp;
use flows::{Structure, StructureInfo};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::app::App;
use crate::body;
use crate::caller::Caller;
use crate::fault::Fault;
use crate::rights;

/// A structure to be stored: its fields, or a sample of which they are learnt.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = DataStructureToPut)]
pub(super) struct NewStructure {
    /// Fields, each with `name`, `type`, `required`, `default`, and `spec` for
    /// what is inside.
    #[schema(value_type = Option<Vec<Object>>)]
    spec: Option<Value>,
    /// Items that are no fields are refused.
    #[serde(default)]
    strict: bool,
    /// A sample in JSON, CSV with a row of headers, or XML.
    sample: Option<String>,
    /// Numbers under which flows that were drawn elsewhere name it.
    #[serde(default)]
    imported_ids: Vec<u64>,
}

/// A data structure.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = DataStructure)]
pub(super) struct Shown {
    name: String,
    /// Fields, each with `name`, `type` and what else is said of it.
    #[schema(value_type = Vec<Object>)]
    spec: Value,
    /// Items that are no fields are refused.
    strict: bool,
    /// Numbers under which flows that were drawn elsewhere name it.
    imported_ids: Vec<u64>,
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
}

impl From<StructureInfo> for Shown {
    fn from(info: StructureInfo) -> Self {
        let StructureInfo { name, structure, imported_ids, updated_at } = info;
        let spec = structure.to_json()["spec"].take();
        Shown { name, spec, strict: structure.strict, imported_ids, updated_at }
    }
}

/// Lists the structures.
pub(super) async fn list(State(app): State<App>, Caller(actor): Caller) -> Result<Json<Vec<Shown>>, Fault> {
    rights::use_flows(&app, &actor).await?;
    let structures = app.flows.structures().await?;
    Ok(Json(structures.into_iter().map(Shown::from).collect()))
}

/// Shows a structure.
pub(super) async fn show(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(name): Path<String>,
) -> Result<Json<Shown>, Fault> {
    rights::use_flows(&app, &actor).await?;
    Ok(Json(app.flows.structure(&name).await?.into()))
}

/// Stores a structure; replaces one of the same name.
pub(super) async fn put(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(name): Path<String>,
    body::Json(new): body::Json<NewStructure>,
) -> Result<Json<Shown>, Fault> {
    rights::edit_flows(&app, &actor).await?;
    let wrong = |field: &'static str| move |detail: String| Fault::invalid(field, "structure-invalid", detail);
    let structure = match (new.spec, new.sample) {
        (Some(spec), None) => Structure::read(&spec).map_err(wrong("spec"))?,
        (None, Some(sample)) => Structure::learn_text(&sample).map_err(wrong("sample"))?,
        _ => return Err(wrong("spec")("give either \"spec\" or a \"sample\"".into())),
    };
    let structure = Structure { strict: new.strict, ..structure };
    app.flows.put_structure(&actor, &name, structure, new.imported_ids).await?;
    Ok(Json(app.flows.structure(&name).await?.into()))
}

/// Removes a structure.
pub(super) async fn remove(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(name): Path<String>,
) -> Result<StatusCode, Fault> {
    rights::edit_flows(&app, &actor).await?;
    app.flows.delete_structure(&actor, &name).await?;
    Ok(StatusCode::NO_CONTENT)
}
