//! DBFS over HTTP: small files in one call, larger ones by handle. Paths below
//! `/Volumes` are files of volumes, with the rights of their pools.

use access::Permission;
use axum::Json;
use axum::extract::State;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};
use workspace::StoredEntry;

use super::number::Number;
use super::volumes::may;
use crate::app::App;
use crate::body::{self, Query};
use crate::caller::Caller;
use crate::fault::Fault;

/// Bytes of a block, decoded.
const BLOCK_BYTES_MAX: usize = 1 << 20;

/// A path.
#[derive(Deserialize)]
pub(super) struct At {
    path: String,
}

/// A path that is written.
#[derive(Deserialize)]
pub(super) struct Write {
    path: String,
    #[serde(default)]
    overwrite: bool,
    contents: Option<String>,
}

/// A handle, perhaps with a block.
#[derive(Deserialize)]
pub(super) struct Block {
    handle: Number,
    data: Option<String>,
}

/// A part of a file.
#[derive(Deserialize)]
pub(super) struct Part {
    path: String,
    offset: Option<body::Whole>,
    length: Option<body::Whole>,
}

/// What is removed.
#[derive(Deserialize)]
pub(super) struct Gone {
    path: String,
    #[serde(default)]
    recursive: bool,
}

/// What is moved.
#[derive(Deserialize)]
pub(super) struct Move {
    source_path: String,
    destination_path: String,
}

/// Stores a small file.
pub(super) async fn put(
    State(app): State<App>,
    Caller(actor): Caller,
    body::Json(write): body::Json<Write>,
) -> Result<Json<Value>, Fault> {
    may(&app, &actor, &write.path, Permission::DataPush).await?;
    let content = decoded("contents", write.contents.as_deref().unwrap_or_default())?;
    let mut upload = app.workspace.begin_upload(&write.path).await?;
    upload.write(&content).await?;
    app.workspace.finish_upload(&actor, upload, write.overwrite).await?;
    Ok(Json(json!({})))
}

/// Begins a file that comes in blocks.
pub(super) async fn create(
    State(app): State<App>,
    Caller(actor): Caller,
    body::Json(write): body::Json<Write>,
) -> Result<Json<Value>, Fault> {
    may(&app, &actor, &write.path, Permission::DataPush).await?;
    let handle = app.workspace.open_handle(&actor, &write.path, write.overwrite).await?;
    Ok(Json(json!({ "handle": handle })))
}

/// Takes the next block.
pub(super) async fn add_block(
    State(app): State<App>,
    Caller(actor): Caller,
    body::Json(block): body::Json<Block>,
) -> Result<Json<Value>, Fault> {
    let data = decoded("data", block.data.as_deref().unwrap_or_default())?;
    app.workspace.add_block(&actor, block.handle.0, &data).await?;
    Ok(Json(json!({})))
}

/// Puts a file to its place.
pub(super) async fn close(
    State(app): State<App>,
    Caller(actor): Caller,
    body::Json(block): body::Json<Block>,
) -> Result<Json<Value>, Fault> {
    app.workspace.close_handle(&actor, block.handle.0).await?;
    Ok(Json(json!({})))
}

/// Reads a part of a file.
pub(super) async fn read(
    State(app): State<App>,
    Caller(actor): Caller,
    Query(part): Query<Part>,
) -> Result<Json<Value>, Fault> {
    may(&app, &actor, &part.path, Permission::UsePool).await?;
    let (_, mut file) = app.workspace.open_stored(&part.path).await?;
    let offset = part.offset.map_or(0, |offset| offset.0);
    let length = part.length.map_or(500_000, |length| length.0);
    if length > BLOCK_BYTES_MAX as u64 {
        let detail = format!("\"length\" is at most {BLOCK_BYTES_MAX}");
        return Err(Fault::invalid("length", "parameter-invalid", detail));
    }
    let unreadable = |error: std::io::Error| {
        tracing::error!(path = part.path, %error, "a file cannot be read");
        Fault::new(StatusCode::INTERNAL_SERVER_ERROR, "workspace-disk", "the file cannot be read")
    };
    file.seek(std::io::SeekFrom::Start(offset)).await.map_err(unreadable)?;
    let mut data = Vec::new();
    file.take(length).read_to_end(&mut data).await.map_err(unreadable)?;
    Ok(Json(json!({ "bytes_read": data.len(), "data": BASE64.encode(&data) })))
}

/// Lists a folder, or shows a file.
pub(super) async fn list(
    State(app): State<App>,
    Caller(actor): Caller,
    Query(At { path }): Query<At>,
) -> Result<Json<Value>, Fault> {
    may(&app, &actor, &path, Permission::UsePool).await?;
    let entry = app.workspace.stored(&path).await?;
    let entries = if entry.is_directory { app.workspace.list_stored(&path).await? } else { vec![entry] };
    let shown: Vec<Value> = entries.iter().map(shown).collect();
    Ok(Json(if shown.is_empty() { json!({}) } else { json!({ "files": shown }) }))
}

/// Shows what stands at a path.
pub(super) async fn get_status(
    State(app): State<App>,
    Caller(actor): Caller,
    Query(At { path }): Query<At>,
) -> Result<Json<Value>, Fault> {
    may(&app, &actor, &path, Permission::UsePool).await?;
    Ok(Json(shown(&app.workspace.stored(&path).await?)))
}

/// Makes a folder.
pub(super) async fn mkdirs(
    State(app): State<App>,
    Caller(actor): Caller,
    body::Json(At { path }): body::Json<At>,
) -> Result<Json<Value>, Fault> {
    may(&app, &actor, &path, Permission::DataPush).await?;
    app.workspace.make_stored_folder(&actor, &path).await?;
    Ok(Json(json!({})))
}

/// Moves a file or a folder.
pub(super) async fn rename(
    State(app): State<App>,
    Caller(actor): Caller,
    body::Json(Move { source_path, destination_path }): body::Json<Move>,
) -> Result<Json<Value>, Fault> {
    may(&app, &actor, &source_path, Permission::DataPush).await?;
    may(&app, &actor, &destination_path, Permission::DataPush).await?;
    app.workspace.move_stored(&actor, &source_path, &destination_path).await?;
    Ok(Json(json!({})))
}

/// Removes a file or a folder.
pub(super) async fn delete(
    State(app): State<App>,
    Caller(actor): Caller,
    body::Json(Gone { path, recursive }): body::Json<Gone>,
) -> Result<Json<Value>, Fault> {
    may(&app, &actor, &path, Permission::DataPush).await?;
    if app.workspace.stored(&path).await?.is_directory {
        app.workspace.delete_stored_folder(&actor, &path, recursive).await?;
    } else {
        app.workspace.delete_stored_file(&actor, &path).await?;
    }
    Ok(Json(json!({})))
}

fn shown(entry: &StoredEntry) -> Value {
    json!({
        "path": entry.path.strip_prefix("dbfs:").unwrap_or(&entry.path),
        "is_dir": entry.is_directory,
        "file_size": entry.bytes,
        "modification_time": entry.modified_at.as_millis(),
    })
}

fn decoded(field: &'static str, text: &str) -> Result<Vec<u8>, Fault> {
    let wrong = |detail: String| Fault::invalid(field, "parameter-invalid", detail);
    let bytes = BASE64.decode(text.trim()).map_err(|error| wrong(format!("\"{field}\" is not base64: {error}")))?;
    if bytes.len() > BLOCK_BYTES_MAX {
        return Err(wrong(format!("\"{field}\" has at most {BLOCK_BYTES_MAX} bytes: use create, add-block and close")));
    }
    Ok(bytes)
}
