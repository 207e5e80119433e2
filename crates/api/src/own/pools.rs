//! Pools and their tables.

use access::{Permission, Scope};
use axum::Json;
use axum::extract::{Path, State};
use base::Timestamp;
use base::sql::SqlRequest;
use http::StatusCode;
use pools::{Explored, Pool};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::app::App;
use crate::body;
use crate::caller::Caller;
use crate::fault::Fault;
use crate::rights;

/// A pool to be made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PoolToMake)]
pub(super) struct NewPool {
    name: String,
}

/// A pool.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Pool)]
pub(super) struct PoolShown {
    id: String,
    name: String,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    created_by: String,
}

/// A table or a view.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Table {
    name: String,
    kind: &'static str,
    rows: u64,
    keys: Vec<String>,
    columns: Vec<Column>,
    changed_by: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime, nullable = false)]
    changed_at: Option<Timestamp>,
    /// The Delta table, once something is at rest.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    delta: Option<Delta>,
    /// The question behind a view.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    query: Option<String>,
    /// Why a view cannot be asked at the moment.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    broken: Option<String>,
}

/// A table with its first rows.
#[derive(Serialize, ToSchema)]
pub(super) struct TableWithRows {
    #[serde(flatten)]
    table: Table,
    /// By the names of the columns; left out where a view cannot be asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<Object>>, nullable = false)]
    sample: Option<Vec<Map<String, Value>>>,
}

/// A table that was brought to rest.
#[derive(Serialize, ToSchema)]
#[schema(as = TableFlushed)]
pub(super) struct Flushed {
    /// Of the Delta table.
    version: u64,
}

/// The part of a table that lies in files.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = TableFiles)]
struct Delta {
    path: String,
    version: u64,
    files: usize,
    bytes: u64,
    through: u64,
}

/// A column of a table or of an answer.
#[derive(Serialize, ToSchema)]
#[schema(as = TableColumn)]
pub(super) struct Column {
    pub(super) name: String,
    #[serde(rename = "type")]
    pub(super) column_type: String,
}

/// Makes a pool.
pub(super) async fn create(
    State(app): State<App>,
    Caller(actor): Caller,
    body::Json(new): body::Json<NewPool>,
) -> Result<(StatusCode, Json<PoolShown>), Fault> {
    app.access.require(&actor, Permission::CreatePool, &Scope::Team).await?;
    let pool = app.pools.create(&actor, &new.name).await?;
    app.access.entrust(&actor, &Scope::Pool(pool.id.to_string())).await?;
    Ok((StatusCode::CREATED, Json(pool.into())))
}

/// Lists the pools that the caller may use.
pub(super) async fn list(State(app): State<App>, Caller(actor): Caller) -> Result<Json<Vec<PoolShown>>, Fault> {
    let pools = rights::usable_pools(&app, &actor).await?;
    Ok(Json(pools.into_iter().map(PoolShown::from).collect()))
}

/// Shows a pool.
pub(super) async fn show(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(pool): Path<String>,
) -> Result<Json<PoolShown>, Fault> {
    Ok(Json(rights::pool(&app, &actor, &pool, Permission::UsePool).await?.into()))
}

/// Lists the tables of a pool.
pub(super) async fn tables(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(pool): Path<String>,
) -> Result<Json<Vec<Table>>, Fault> {
    let pool = rights::pool(&app, &actor, &pool, Permission::UsePool).await?;
    let tables = app.pools.explore(pool.id).await?;
    Ok(Json(tables.into_iter().map(Table::from).collect()))
}

/// Rows that a table is shown with.
const SAMPLE_ROWS: usize = 20;

/// Shows a table or a view with some of its rows.
pub(super) async fn table(
    State(app): State<App>,
    Caller(actor): Caller,
    Path((pool, name)): Path<(String, String)>,
) -> Result<Json<TableWithRows>, Fault> {
    let pool = rights::pool(&app, &actor, &pool, Permission::UsePool).await?;
    let explored = app.pools.explore(pool.id).await?;
    let found = explored.into_iter().find(|one| one.info.name.eq_ignore_ascii_case(&name));
    let found = found.ok_or(pools::TablesError::UnknownTable { table: name })?;
    let quoted = found.info.name.replace('"', "\"\"");
    let is_broken = found.view.as_ref().is_some_and(|view| view.broken.is_some());
    let mut shown = TableWithRows { table: found.into(), sample: None };
    if !is_broken {
        let request = SqlRequest {
            pool: pool.id.to_string(),
            statement: format!("SELECT * FROM \"{quoted}\" LIMIT {SAMPLE_ROWS}"),
            rows_max: SAMPLE_ROWS,
            at_least: None,
            asked_by: actor.name.clone(),
            pages: false,
        };
        shown.sample = Some(super::sql::row_objects(app.sql.run(request).await?));
    }
    Ok(Json(shown))
}

/// Brings a table to rest and tells the version that holds it.
pub(super) async fn flush(
    State(app): State<App>,
    Caller(actor): Caller,
    Path((pool, table)): Path<(String, String)>,
) -> Result<Json<Flushed>, Fault> {
    let pool = rights::pool(&app, &actor, &pool, Permission::AdminPool).await?;
    let version = app.pools.rows().flush(pool.id, &table).await?;
    Ok(Json(Flushed { version }))
}

impl From<Pool> for PoolShown {
    fn from(pool: Pool) -> Self {
        let Pool { id, name, created_at, created_by } = pool;
        PoolShown { id: id.to_string(), name, created_at, created_by }
    }
}

impl From<Explored> for Table {
    fn from(explored: Explored) -> Self {
        let Explored { info, view, rest, changed_at } = explored;
        let columns = info.schema.columns.into_iter();
        let columns = columns
            .map(|column| Column { name: column.name, column_type: column_word(column.column_type).to_owned() })
            .collect();
        let delta = rest.map(|rest| Delta {
            path: rest.path.display().to_string(),
            version: rest.version,
            files: rest.files,
            bytes: rest.bytes,
            through: rest.through,
        });
        let kind = if view.is_some() { "view" } else { "table" };
        let (query, broken) = view.map_or((None, None), |view| (Some(view.query), view.broken));
        Table {
            name: info.name,
            kind,
            rows: info.rows,
            keys: info.keys,
            columns,
            changed_by: info.changed_by,
            changed_at,
            delta,
            query,
            broken,
        }
    }
}

pub(super) fn column_word(column_type: pools::rows::ColumnType) -> &'static str {
    use pools::rows::ColumnType;
    match column_type {
        ColumnType::Integer => "integer",
        ColumnType::Float => "float",
        ColumnType::Time => "time",
        ColumnType::Boolean => "boolean",
        ColumnType::Text => "text",
    }
}
