//! Unity Catalog, as far as it can be read off the pools: one catalog, whose
//! schemas are the pools that the caller may use. Volumes can be made and
//! removed; everything else of it is refused.

use access::Permission;
use axum::Json;
use axum::extract::{Path, Request, State};
use base::Actor;
use http::StatusCode;
use pools::rows::ColumnType;
use pools::{Explored, Pool};
use serde::Deserialize;
use serde_json::{Value, json};
use workspace::StoredEntry;

use super::volumes::{CATALOG, pool_of};
use crate::app::App;
use crate::body::{self, Query};
use crate::caller::Caller;
use crate::door::AskedPath;
use crate::fault::Fault;
use crate::rights;

/// Which schema is listed.
#[derive(Deserialize)]
pub(super) struct Of {
    catalog_name: Option<String>,
    schema_name: Option<String>,
}

/// A volume that is made.
#[derive(Deserialize)]
pub(super) struct NewVolume {
    catalog_name: String,
    schema_name: String,
    name: String,
    volume_type: Option<String>,
    storage_location: Option<String>,
}

/// Lists the one catalog.
pub(super) async fn catalogs(Caller(_): Caller) -> Json<Value> {
    Json(json!({ "catalogs": [shown_catalog()] }))
}

/// Shows the one catalog.
pub(super) async fn catalog(Caller(_): Caller, Path(name): Path<String>) -> Result<Json<Value>, Fault> {
    check_catalog(&name)?;
    Ok(Json(shown_catalog()))
}

/// Lists the pools.
pub(super) async fn schemas(
    State(app): State<App>,
    Caller(actor): Caller,
    Query(of): Query<Of>,
) -> Result<Json<Value>, Fault> {
    check_catalog(of.catalog_name.as_deref().unwrap_or_default())?;
    let pools = rights::usable_pools(&app, &actor).await?;
    Ok(Json(json!({ "schemas": pools.iter().map(shown_schema).collect::<Vec<_>>() })))
}

/// Shows a pool.
pub(super) async fn schema(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(name): Path<String>,
) -> Result<Json<Value>, Fault> {
    let [schema] = parts(&name)?;
    Ok(Json(shown_schema(&pool_of(&app, &actor, &schema, Permission::UsePool).await?)))
}

/// Lists the tables and views of a pool.
pub(super) async fn tables(
    State(app): State<App>,
    Caller(actor): Caller,
    Query(of): Query<Of>,
) -> Result<Json<Value>, Fault> {
    check_catalog(of.catalog_name.as_deref().unwrap_or_default())?;
    let pool = pool_of(&app, &actor, of.schema_name.as_deref().unwrap_or_default(), Permission::UsePool).await?;
    let tables = app.pools.explore(pool.id).await?;
    Ok(Json(json!({ "tables": tables.iter().map(|table| shown_table(&pool, table)).collect::<Vec<_>>() })))
}

/// Shows a table with its columns.
pub(super) async fn table(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(name): Path<String>,
) -> Result<Json<Value>, Fault> {
    let (pool, table) = find(&app, &actor, &name).await?;
    let table =
        table.ok_or_else(|| Fault::not_found("resource-not-found", format!("Table '{name}' does not exist.")))?;
    Ok(Json(shown_table(&pool, &table)))
}

/// Tells whether there is a table.
pub(super) async fn table_exists(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(name): Path<String>,
) -> Result<Json<Value>, Fault> {
    let (_, table) = find(&app, &actor, &name).await?;
    Ok(Json(json!({ "table_exists": table.is_some() })))
}

/// Lists the volumes of a pool.
pub(super) async fn volumes(
    State(app): State<App>,
    Caller(actor): Caller,
    Query(of): Query<Of>,
) -> Result<Json<Value>, Fault> {
    check_catalog(of.catalog_name.as_deref().unwrap_or_default())?;
    let pool = pool_of(&app, &actor, of.schema_name.as_deref().unwrap_or_default(), Permission::UsePool).await?;
    let volumes = app.workspace.volumes(&pool.name).await?;
    Ok(Json(json!({ "volumes": volumes.iter().map(|entry| shown_volume(&pool, entry)).collect::<Vec<_>>() })))
}

/// Shows a volume.
pub(super) async fn volume(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(name): Path<String>,
) -> Result<Json<Value>, Fault> {
    let [schema, volume] = parts(&name)?;
    let pool = pool_of(&app, &actor, &schema, Permission::UsePool).await?;
    let missing = || Fault::not_found("resource-not-found", format!("Volume '{name}' does not exist."));
    let volumes = app.workspace.volumes(&pool.name).await?;
    let entry = volumes.iter().find(|entry| entry.name.eq_ignore_ascii_case(&volume)).ok_or_else(missing)?;
    Ok(Json(shown_volume(&pool, entry)))
}

/// Makes a volume.
pub(super) async fn create_volume(
    State(app): State<App>,
    Caller(actor): Caller,
    body::Json(new): body::Json<NewVolume>,
) -> Result<Json<Value>, Fault> {
    check_catalog(&new.catalog_name)?;
    if new.storage_location.is_some() || new.volume_type.as_deref().is_some_and(|kind| kind != "MANAGED") {
        let detail = "external volumes are not there: make one of the type MANAGED, without \"storage_location\"";
        return Err(Fault::new(StatusCode::NOT_IMPLEMENTED, "not-implemented", detail));
    }
    let pool = pool_of(&app, &actor, &new.schema_name, Permission::DataPush).await?;
    let path = format!("/Volumes/{CATALOG}/{}/{}", pool.name, new.name);
    if app.workspace.stored(&path).await.is_ok() {
        let detail = format!("Volume '{CATALOG}.{}.{}' already exists", pool.name, new.name);
        return Err(Fault::new(StatusCode::CONFLICT, "resource-exists", detail));
    }
    app.workspace.make_stored_folder(&actor, &path).await?;
    Ok(Json(shown_volume(&pool, &app.workspace.stored(&path).await?)))
}

/// Removes a volume with its files.
pub(super) async fn delete_volume(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(name): Path<String>,
) -> Result<Json<Value>, Fault> {
    let [schema, volume] = parts(&name)?;
    let pool = pool_of(&app, &actor, &schema, Permission::AdminPool).await?;
    let path = format!("/Volumes/{CATALOG}/{}/{volume}", pool.name);
    app.workspace.delete_stored_folder(&actor, &path, true).await?;
    Ok(Json(json!({})))
}

/// Says which metastore the workspace has.
pub(super) async fn metastore(State(app): State<App>, Caller(_): Caller) -> Json<Value> {
    Json(json!({
        "metastore_id": CATALOG,
        "workspace_id": app.workspace.options().workspace_id,
        "default_catalog_name": CATALOG,
    }))
}

/// Refuses the rest of Unity Catalog.
pub(super) async fn not_there(Caller(_): Caller, request: Request) -> Fault {
    let detail = format!(
        "'{} {}' is not there: catalogs, schemas, tables and volumes can be read, and volumes made and removed",
        request.method(),
        AskedPath::of(&request)
    );
    Fault::new(StatusCode::NOT_IMPLEMENTED, "not-implemented", detail)
}

async fn find(app: &App, actor: &Actor, name: &str) -> Result<(Pool, Option<Explored>), Fault> {
    let [schema, table] = parts(name)?;
    let pool = pool_of(app, actor, &schema, Permission::UsePool).await?;
    let tables = app.pools.explore(pool.id).await?;
    Ok((pool, tables.into_iter().find(|known| known.info.name.eq_ignore_ascii_case(&table))))
}

/// Cuts `loopwright.a.b` at its points; the last part may have some itself.
fn parts<const COUNT: usize>(name: &str) -> Result<[String; COUNT], Fault> {
    let wrong = || {
        let detail = format!("\"{name}\" does not have {} parts: write \"{CATALOG}.<pool>…\"", COUNT + 1);
        Fault::invalid("full_name", "parameter-invalid", detail)
    };
    let (catalog, rest) = name.split_once('.').ok_or_else(wrong)?;
    check_catalog(catalog)?;
    let parts: Vec<String> = rest.splitn(COUNT, '.').map(str::to_owned).collect();
    parts.try_into().map_err(|_| wrong())
}

fn check_catalog(name: &str) -> Result<(), Fault> {
    if name.eq_ignore_ascii_case(CATALOG) {
        return Ok(());
    }
    let detail = format!("Catalog '{name}' does not exist: the one here is '{CATALOG}'");
    Err(Fault::not_found("resource-not-found", detail))
}

fn shown_catalog() -> Value {
    json!({
        "name": CATALOG,
        "full_name": CATALOG,
        "catalog_type": "MANAGED_CATALOG",
        "metastore_id": CATALOG,
        "owner": "admins",
        "comment": "The data pools of this server, a schema each",
    })
}

fn shown_schema(pool: &Pool) -> Value {
    json!({
        "name": pool.name,
        "catalog_name": CATALOG,
        "full_name": format!("{CATALOG}.{}", pool.name),
        "schema_id": pool.id.to_string(),
        "owner": pool.created_by,
        "created_by": pool.created_by,
        "created_at": pool.created_at.as_millis(),
        "metastore_id": CATALOG,
    })
}

fn shown_table(pool: &Pool, table: &Explored) -> Value {
    let columns = table.info.schema.columns.iter().enumerate().map(|(position, column)| {
        let (name, text) = match column.column_type {
            ColumnType::Integer => ("LONG", "bigint"),
            ColumnType::Float => ("DOUBLE", "double"),
            ColumnType::Time => ("TIMESTAMP", "timestamp"),
            ColumnType::Boolean => ("BOOLEAN", "boolean"),
            ColumnType::Text => ("STRING", "string"),
        };
        json!({
            "name": column.name,
            "position": position,
            "type_name": name,
            "type_text": text,
            "nullable": true,
        })
    });
    let columns: Vec<Value> = columns.collect();
    let full_name = format!("{CATALOG}.{}.{}", pool.name, table.info.name);
    let mut shown = json!({
        "name": table.info.name,
        "catalog_name": CATALOG,
        "schema_name": pool.name,
        "full_name": full_name,
        "table_id": full_name,
        "table_type": if table.view.is_some() { "VIEW" } else { "MANAGED" },
        "columns": columns,
        "owner": pool.created_by,
        "metastore_id": CATALOG,
        "updated_at": table.changed_at.map(base::Timestamp::as_millis),
    });
    match &table.view {
        Some(view) => shown["view_definition"] = json!(view.query),
        None => shown["data_source_format"] = json!("DELTA"),
    }
    shown
}

fn shown_volume(pool: &Pool, entry: &StoredEntry) -> Value {
    let full_name = format!("{CATALOG}.{}.{}", pool.name, entry.name);
    json!({
        "name": entry.name,
        "catalog_name": CATALOG,
        "schema_name": pool.name,
        "full_name": full_name,
        "volume_id": full_name,
        "volume_type": "MANAGED",
        "storage_location": format!("/Volumes/{CATALOG}/{}/{}", pool.name, entry.name),
        "owner": pool.created_by,
        "updated_at": entry.modified_at.as_millis(),
        "metastore_id": CATALOG,
    })
}
