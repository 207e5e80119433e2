//! Data models in memory: whether one is loaded, and what it takes.

use access::Permission;
use axum::Json;
use axum::extract::{Path, State};
use base::Timestamp;
use mining::log::{ColumnSize, TableSize};
use mining::{DataModelState, DataModelView, LoadView};
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::caller::Caller;
use crate::fault::Fault;
use crate::rights;

/// How a data model stands in memory.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = DataModelInMemory)]
pub(super) struct InMemory {
    /// `not-loaded`, `loading`, `loaded` or `refused`.
    state: &'static str,
    /// Since when it is being loaded, or is refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime, nullable = false)]
    since: Option<Timestamp>,
    /// Why it is refused, and the mend.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    detail: Option<String>,
    /// What all data models may take together; nothing where there is no limit.
    #[schema(required = true)]
    bytes_max: Option<u64>,
    bytes_of_others: u64,
    /// What was loaded last.
    #[schema(required = true)]
    load: Option<Load>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = DataModelLoad)]
struct Load {
    #[serde(rename = "loadedAt")]
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    #[serde(rename = "loadMs")]
    took_ms: u64,
    loaded_commit: u64,
    /// The commit up to which it has followed since.
    commit: u64,
    cases: u64,
    events: usize,
    rows: usize,
    /// Rows of the activity table without case, activity or time.
    excluded: u64,
    bytes: Bytes,
    tables: Vec<Table>,
}

/// All bytes, and those of each part.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = DataModelBytes)]
struct Bytes {
    all: usize,
    columns: usize,
    texts: usize,
    joins: usize,
    push_keys: usize,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = LoadedTable)]
struct Table {
    name: String,
    rows: usize,
    bytes: usize,
    columns: Vec<Column>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = LoadedColumn)]
struct Column {
    name: String,
    r#type: String,
    /// Of its values and its distinct texts.
    bytes: usize,
}

/// Tells how a data model stands in memory, and what it takes.
pub(super) async fn show(
    State(app): State<App>,
    Caller(actor): Caller,
    Path((pool, key)): Path<(String, String)>,
) -> Result<Json<InMemory>, Fault> {
    let pool = rights::pool(&app, &actor, &pool, Permission::UsePool).await?;
    let model = app.pools.data_model(pool.id, &key).await?;
    Ok(Json(app.mining.data_model_in_memory(model.id).await?.into()))
}

impl From<DataModelView> for InMemory {
    fn from(view: DataModelView) -> Self {
        let DataModelView { state, load, bytes_max, bytes_of_others } = view;
        let (state, since, detail) = match state {
            DataModelState::NotLoaded => ("not-loaded", None, None),
            DataModelState::Loading { since } => ("loading", Some(since), None),
            DataModelState::Loaded => ("loaded", None, None),
            DataModelState::Refused { since, detail } => ("refused", Some(since), Some(detail)),
        };
        InMemory { state, since, detail, bytes_max, bytes_of_others, load: load.map(Load::from) }
    }
}

impl From<LoadView> for Load {
    fn from(load: LoadView) -> Self {
        let LoadView { loaded_at, loaded_commit, load_ms, commit, cases, excluded, size, tables } = load;
        let bytes = Bytes {
            all: size.bytes(),
            columns: size.columns,
            texts: size.words,
            joins: size.joins,
            push_keys: size.keys,
        };
        let (events, rows) = (size.events, size.rows);
        let tables = tables.into_iter().map(Table::from).collect();
        Load { at: loaded_at, took_ms: load_ms, loaded_commit, commit, cases, events, rows, excluded, bytes, tables }
    }
}

impl From<TableSize> for Table {
    fn from(size: TableSize) -> Self {
        let bytes = size.keys + size.columns.iter().map(|column| column.bytes).sum::<usize>();
        let column = |ColumnSize { name, column_type, bytes }| Column { name, r#type: column_type.to_string(), bytes };
        Table { name: size.name, rows: size.rows, bytes, columns: size.columns.into_iter().map(column).collect() }
    }
}
