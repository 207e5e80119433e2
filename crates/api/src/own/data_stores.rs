//! Data stores: records by key that flows keep from run to run.

use axum::Json;
use axum::extract::{Path, State};
use base::Timestamp;
use flows::{Expected, Record, StoreInfo, StoreSettings};
use http::StatusCode;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use crate::app::App;
use crate::body::{self, Query, Whole};
use crate::caller::Caller;
use crate::fault::Fault;
use crate::rights;

/// Records in a page, if nothing is said.
const RECORDS_USUAL: usize = 100;

/// Most records in a page.
const RECORDS_MAX: usize = 1_000;

/// What a store is set to; what is left out stays as it is.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = DataStoreToPut)]
pub(super) struct NewStore {
    /// What its records are made of: the name of a data structure, or one
    /// itself; null for anything.
    #[serde(default, deserialize_with = "said")]
    #[schema(value_type = Option<Value>)]
    structure: Option<Value>,
    /// Numbers under which flows that were drawn elsewhere name it.
    imported_ids: Option<Vec<u64>>,
}

fn said<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

/// A data store.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = DataStore)]
pub(super) struct Store {
    name: String,
    /// What its records are made of: the name of a data structure, or one
    /// itself; null for anything.
    #[schema(value_type = Option<Value>, required = true)]
    structure: Option<Value>,
    imported_ids: Vec<u64>,
    /// How many records it has.
    records: u64,
    /// Bytes of their data.
    bytes: u64,
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
}

/// A record of a data store.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = StoreRecord)]
pub(super) struct Kept {
    key: String,
    #[schema(value_type = Object)]
    data: Value,
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
}

/// Some records of a data store.
#[derive(Serialize, ToSchema)]
#[schema(as = StoreRecords)]
pub(super) struct Page {
    records: Vec<Kept>,
    /// What to ask for as `after` to have those behind; left out at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    next: Option<String>,
}

/// What a store is to be called.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = DataStoreRenamed)]
pub(super) struct Renamed {
    name: String,
}

/// Which records are wanted.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Wanted {
    /// Those behind this key; the first ones if it is left out.
    after: Option<String>,
    /// Records at most, 100 if nothing is said.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 1000)]
    limit: Option<Whole>,
}

/// Lists the stores.
pub(super) async fn list(State(app): State<App>, Caller(actor): Caller) -> Result<Json<Vec<Store>>, Fault> {
    rights::use_flows(&app, &actor).await?;
    Ok(Json(app.flows.stores().await?.into_iter().map(Store::from).collect()))
}

/// Shows a store.
pub(super) async fn show(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(name): Path<String>,
) -> Result<Json<Store>, Fault> {
    rights::use_flows(&app, &actor).await?;
    Ok(Json(app.flows.store(&name).await?.into()))
}

/// Makes a store, or sets what there is of one.
pub(super) async fn put(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(name): Path<String>,
    body::Json(new): body::Json<NewStore>,
) -> Result<Json<Store>, Fault> {
    rights::edit_flows(&app, &actor).await?;
    let before = app.flows.stores().await?.into_iter().find(|store| store.name == name);
    let before = before.map(|store| store.settings).unwrap_or_default();
    let structure = match new.structure {
        None => before.structure,
        Some(Value::Null) => None,
        Some(written) => {
            Some(Expected::read(&written).map_err(|detail| Fault::invalid("structure", "structure-invalid", detail))?)
        }
    };
    let imported_ids = new.imported_ids.unwrap_or(before.imported_ids);
    app.flows.put_store(&actor, &name, StoreSettings { structure, imported_ids }).await?;
    Ok(Json(app.flows.store(&name).await?.into()))
}

/// Removes a store with all its records.
pub(super) async fn remove(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(name): Path<String>,
) -> Result<StatusCode, Fault> {
    rights::edit_flows(&app, &actor).await?;
    app.flows.delete_store(&actor, &name).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Calls a store otherwise.
pub(super) async fn rename(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(name): Path<String>,
    body::Json(renamed): body::Json<Renamed>,
) -> Result<StatusCode, Fault> {
    rights::edit_flows(&app, &actor).await?;
    app.flows.rename_store(&actor, &name, &renamed.name).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Lists records in the order of their keys. `next` is what to ask for as
/// `after` to have those behind; it is left out at the end.
pub(super) async fn records(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(name): Path<String>,
    Query(wanted): Query<Wanted>,
) -> Result<Json<Page>, Fault> {
    rights::use_flows(&app, &actor).await?;
    let limit = wanted.limit.map_or(RECORDS_USUAL, |limit| limit.clamped(1, RECORDS_MAX));
    let records = app.flows.store_records(&name, wanted.after, limit).await?;
    let next = records.last().filter(|_| records.len() == limit).map(|last| last.key.clone());
    Ok(Json(Page { records: records.into_iter().map(Kept::from).collect(), next }))
}

/// Removes all records of a store.
pub(super) async fn clear(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(name): Path<String>,
) -> Result<StatusCode, Fault> {
    rights::edit_flows(&app, &actor).await?;
    app.flows.clear_store(&actor, &name).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Shows a record.
pub(super) async fn record(
    State(app): State<App>,
    Caller(actor): Caller,
    Path((name, key)): Path<(String, String)>,
) -> Result<Json<Kept>, Fault> {
    rights::use_flows(&app, &actor).await?;
    Ok(Json(app.flows.store_record(&name, &key).await?.into()))
}

/// Puts a record; the body is its fields.
pub(super) async fn put_record(
    State(app): State<App>,
    Caller(actor): Caller,
    Path((name, key)): Path<(String, String)>,
    body::Json(data): body::Json<serde_json::Map<String, Value>>,
) -> Result<Json<Kept>, Fault> {
    rights::edit_flows(&app, &actor).await?;
    app.flows.put_store_record(&actor, &name, &key, flows::value::Value::from_json(data.into())).await?;
    Ok(Json(app.flows.store_record(&name, &key).await?.into()))
}

/// Removes a record; none is there is no error.
pub(super) async fn remove_record(
    State(app): State<App>,
    Caller(actor): Caller,
    Path((name, key)): Path<(String, String)>,
) -> Result<StatusCode, Fault> {
    rights::edit_flows(&app, &actor).await?;
    app.flows.delete_store_record(&actor, &name, &key).await?;
    Ok(StatusCode::NO_CONTENT)
}

impl From<StoreInfo> for Store {
    fn from(info: StoreInfo) -> Self {
        let StoreSettings { structure, imported_ids } = info.settings;
        Store {
            name: info.name,
            structure: structure.as_ref().map(Expected::to_json),
            imported_ids,
            records: info.records,
            bytes: info.bytes,
            updated_at: info.updated_at,
        }
    }
}

impl From<Record> for Kept {
    fn from(record: Record) -> Self {
        Kept { key: record.key, data: record.data.to_json(), updated_at: record.updated_at }
    }
}
