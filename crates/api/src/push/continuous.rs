//! Continuous push: Parquet files without a job around them.
//!
//! Each file is safe before it is answered, and in its table within a second
//! or so. What became of it is asked for under
//! `/api/v1/pools/{pool}/push-jobs/{id}`.

use std::collections::HashMap;

use access::Permission;
use axum::Json;
use axum::extract::{Path, Request, State};
use pools::{Continuous, FileType, PushJobSpec};
use serde_json::{Value, json};

use super::chunks::read_form;
use crate::app::App;
use crate::body::Query;
use crate::caller::Caller;
use crate::fault::Fault;
use crate::rights;

/// Takes a file.
pub(super) async fn push(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(pool): Path<String>,
    Query(given): Query<HashMap<String, String>>,
    request: Request,
) -> Result<Json<Value>, Fault> {
    let pool = rights::pool(&app, &actor, &pool, Permission::ContinuousDataPush).await?;
    let spec = read(&given)?;
    let item = read_form(request, |name| {
        let (app, pool) = (app.clone(), pool.id);
        async move { app.pools.add_item(pool, &name).await }
    });
    let item = item.await?;
    let file_name = item.file_name().to_owned();
    let (client, length) = (given.get("clientId").cloned(), spec.fallback_varchar_length);
    let job = app.pools.accept_item(&actor, pool.id, spec, item).await?;
    Ok(Json(json!({
        "id": job.id,
        "fileName": file_name,
        "bucketId": pool.id,
        "flushStatus": "NEW",
        "clientId": client,
        "fallbackVarcharLength": length,
        "upsertStrategy": null,
    })))
}

/// Reads the parameters; those that are empty are unset, unknown ones say
/// nothing.
fn read(given: &HashMap<String, String>) -> Result<PushJobSpec, Fault> {
    let text = |name: &str| given.get(name).map(|text| text.trim()).filter(|text| !text.is_empty()).map(str::to_owned);
    let target = text("targetName").ok_or_else(|| {
        Fault::invalid("targetName", "parameter-missing", "the parameter \"targetName\" is missing: it names the table")
    })?;
    let fallback_varchar_length = match text("fallbackVarcharLength") {
        None => None,
        Some(length) => Some(length.parse().map_err(|_| {
            let detail = format!("\"fallbackVarcharLength\" must be a whole number from 0 on, not \"{length}\"");
            Fault::invalid("fallbackVarcharLength", "parameter-mismatch", detail)
        })?),
    };
    let keys = text("primaryKeys").unwrap_or_default();
    Ok(PushJobSpec {
        file_type: FileType::Parquet,
        keys: keys.split(',').map(str::trim).filter(|key| !key.is_empty()).map(str::to_owned).collect(),
        connection: text("connectionId"),
        fallback_varchar_length,
        newest_by: text("duplicateRemovalOrderColumn"),
        continuous: Some(Continuous { client: text("clientId") }),
        ..PushJobSpec::csv(target)
    })
}
