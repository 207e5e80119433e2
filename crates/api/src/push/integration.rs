//! Pools, tables and data models in the words of data integration.

use std::collections::HashMap;

use access::{Permission, Scope};
use axum::Json;
use axum::extract::{Path, State};
use pools::rows::ColumnType;
use pools::{DataModel, Pool, TableInfo};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::app::App;
use crate::body::{self, Query};
use crate::caller::Caller;
use crate::fault::Fault;
use crate::rights;

/// A pool to be made.
#[derive(Deserialize)]
pub(super) struct NewPool {
    name: String,
}

/// Lists the pools that the caller may use, as a bare array.
pub(super) async fn pools(State(app): State<App>, Caller(actor): Caller) -> Result<Json<Vec<Value>>, Fault> {
    let pools = rights::usable_pools(&app, &actor).await?;
    Ok(Json(pools.iter().map(pool_form).collect()))
}

/// Lists the pools page by page: `limit` a page, `page` from 0 on.
pub(super) async fn pools_paged(
    State(app): State<App>,
    Caller(actor): Caller,
    Query(given): Query<HashMap<String, String>>,
) -> Result<Json<Value>, Fault> {
    let number = |name: &'static str, usual: usize| match given.get(name) {
        None => Ok(usual),
        Some(text) => text.parse().map_err(|_| {
            let detail = format!("\"{name}\" must be a whole number from 0 on, not \"{text}\"");
            Fault::invalid(name, "parameter-mismatch", detail)
        }),
    };
    let (limit, page) = (number("limit", 50)?.clamp(1, 1_000), number("page", 0)?);
    let pools = rights::usable_pools(&app, &actor).await?;
    let content: Vec<Value> = pools.iter().skip(page.saturating_mul(limit)).take(limit).map(pool_form).collect();
    Ok(Json(json!({ "content": content, "pageNumber": page, "pageSize": limit, "totalCount": pools.len() })))
}

/// Makes a pool.
pub(super) async fn create_pool(
    State(app): State<App>,
    Caller(actor): Caller,
    body::Json(new): body::Json<NewPool>,
) -> Result<Json<Value>, Fault> {
    app.access.require(&actor, Permission::CreatePool, &Scope::Team).await?;
    let pool = app.pools.create(&actor, &new.name).await?;
    app.access.entrust(&actor, &Scope::Pool(pool.id.to_string())).await?;
    Ok(Json(pool_form(&pool)))
}

/// Shows a pool.
pub(super) async fn pool(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(pool): Path<String>,
) -> Result<Json<Value>, Fault> {
    let pool = rights::pool(&app, &actor, &pool, Permission::UsePool).await?;
    Ok(Json(pool_form(&pool)))
}

/// Lists the tables of a pool, as a bare array.
pub(super) async fn tables(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(pool): Path<String>,
) -> Result<Json<Vec<Value>>, Fault> {
    let pool = rights::pool(&app, &actor, &pool, Permission::UsePool).await?;
    let tables = app.pools.tables(pool.id).await?;
    Ok(Json(tables.iter().map(|table| table_form(&pool, table)).collect()))
}

/// Lists the data models of a pool, as a bare array.
pub(super) async fn data_models(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(pool): Path<String>,
) -> Result<Json<Vec<Value>>, Fault> {
    let pool = rights::pool(&app, &actor, &pool, Permission::UsePool).await?;
    let models = app.pools.data_models(pool.id).await?;
    Ok(Json(models.iter().map(data_model_form).collect()))
}

/// Lists the data connections of a pool: its sources.
pub(super) async fn data_sources(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(pool): Path<String>,
) -> Result<Json<Vec<Value>>, Fault> {
    let pool = rights::pool(&app, &actor, &pool, Permission::UsePool).await?;
    let sources = app.pools.sources(pool.id).await?;
    let form =
        |source: &pools::Source| json!({ "id": source.id, "name": source.key, "type": source.spec.origin.word() });
    Ok(Json(sources.iter().map(form).collect()))
}

fn pool_form(pool: &Pool) -> Value {
    json!({
        "id": pool.id,
        "name": pool.name,
        "description": null,
        "creationDate": pool.created_at.as_millis(),
        "creatorUsername": pool.created_by,
        "configurationStatus": "READY",
        "locked": false,
    })
}

fn table_form(pool: &Pool, table: &TableInfo) -> Value {
    let columns = table.schema.columns.iter();
    let columns: Vec<Value> = columns
        .map(|column| json!({ "name": column.name, "length": null, "type": type_word(column.column_type) }))
        .collect();
    json!({
        "name": table.name,
        "loaderSource": "DATA_PUSH",
        "available": true,
        "dataSourceId": null,
        "dataSourceName": null,
        "columns": columns,
        "type": "TABLE",
        "schemaName": pool.id,
    })
}

fn type_word(column_type: ColumnType) -> &'static str {
    match column_type {
        ColumnType::Integer => "INTEGER",
        ColumnType::Float => "FLOAT",
        ColumnType::Time => "DATETIME",
        ColumnType::Boolean => "BOOLEAN",
        ColumnType::Text => "STRING",
    }
}

fn data_model_form(model: &DataModel) -> Value {
    let tables: Vec<Value> = model.tables.iter().map(|table| json!({ "name": table })).collect();
    json!({ "id": model.id, "poolId": model.pool, "name": model.name, "tables": tables })
}
