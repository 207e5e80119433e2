//! Pools, their tables, and SQL over them.

use access::{Permission, Scope};
use axum::Json;
use axum::extract::{Path, State};
use base::Timestamp;
use base::sql::{SqlAnswer, SqlRequest};
use http::StatusCode;
use pools::{Pool, TableInfo};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::app::App;
use crate::body;
use crate::caller::Caller;
use crate::fault::Fault;
use crate::rights;

/// Rows of an answer, if nothing is said.
const ROWS_USUAL: usize = 10_000;
/// Rows of an answer at most: they stand in memory as a whole.
const ROWS_MAX: usize = 100_000;

/// A pool to be made.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewPool {
    name: String,
}

/// A pool.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PoolShown {
    id: String,
    name: String,
    created_at: Timestamp,
    created_by: String,
}

/// A table.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Table {
    name: String,
    rows: u64,
    keys: Vec<String>,
    columns: Vec<Column>,
    changed_by: u64,
}

/// A column of a table or of an answer.
#[derive(Serialize)]
pub(super) struct Column {
    name: String,
    #[serde(rename = "type")]
    column_type: String,
}

/// A question in SQL.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Question {
    query: String,
    /// Wait until the pool has reached this commit.
    at_least: Option<u64>,
    /// Rows of the answer at most.
    limit: Option<usize>,
}

/// Columns and rows; a row maps column names to values.
#[derive(Serialize)]
pub(super) struct Answer {
    columns: Vec<Column>,
    rows: Vec<Map<String, Value>>,
    /// There were more rows than the limit.
    truncated: bool,
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
    let tables = app.pools.tables(pool.id).await?;
    Ok(Json(tables.into_iter().map(Table::from).collect()))
}

/// Brings a table to rest and tells the version that holds it.
pub(super) async fn flush(
    State(app): State<App>,
    Caller(actor): Caller,
    Path((pool, table)): Path<(String, String)>,
) -> Result<Json<Value>, Fault> {
    let pool = rights::pool(&app, &actor, &pool, Permission::AdminPool).await?;
    let version = app.pools.rows().flush(pool.id, &table).await?;
    Ok(Json(json!({ "version": version })))
}

/// Answers a question in SQL.
pub(super) async fn sql(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(pool): Path<String>,
    body::Json(question): body::Json<Question>,
) -> Result<Json<Answer>, Fault> {
    let pool = rights::pool(&app, &actor, &pool, Permission::UsePool).await?;
    let request = SqlRequest {
        pool: pool.id.to_string(),
        statement: question.query,
        rows_max: question.limit.unwrap_or(ROWS_USUAL).min(ROWS_MAX),
        at_least: question.at_least,
    };
    Ok(Json(app.sql.run(request).await?.into()))
}

impl From<Pool> for PoolShown {
    fn from(pool: Pool) -> Self {
        let Pool { id, name, created_at, created_by } = pool;
        PoolShown { id: id.to_string(), name, created_at, created_by }
    }
}

impl From<TableInfo> for Table {
    fn from(info: TableInfo) -> Self {
        let columns = info.schema.columns.into_iter();
        let columns = columns
            .map(|column| Column { name: column.name, column_type: column_word(column.column_type).to_owned() })
            .collect();
        Table { name: info.name, rows: info.rows, keys: info.keys, columns, changed_by: info.changed_by }
    }
}

fn column_word(column_type: pools::rows::ColumnType) -> &'static str {
    use pools::rows::ColumnType;
    match column_type {
        ColumnType::Integer => "integer",
        ColumnType::Float => "float",
        ColumnType::Time => "time",
        ColumnType::Boolean => "boolean",
        ColumnType::Text => "text",
    }
}

impl From<SqlAnswer> for Answer {
    fn from(answer: SqlAnswer) -> Self {
        let SqlAnswer { columns, rows, truncated } = answer;
        let names: Vec<String> = columns.iter().map(|column| column.name.clone()).collect();
        let rows = rows.into_iter().map(|row| names.iter().cloned().zip(row).collect()).collect();
        let columns = columns.into_iter().map(|column| Column { name: column.name, column_type: column.kind });
        Answer { columns: columns.collect(), rows, truncated }
    }
}
