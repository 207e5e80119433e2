//! Objects of the workspace tree: import and export, list, look, make, remove.

use axum::Json;
use axum::body::Bytes;
use axum::extract::multipart::{MultipartError, MultipartRejection};
use axum::extract::{FromRequest, Multipart, Path, Request, State};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use http::StatusCode;
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use serde::Deserialize;
use serde_json::{Value, json};
use workspace::{ImportFormat, ObjectKind, WorkspaceObject};

use crate::app::App;
use crate::body::{self, Query};
use crate::caller::Caller;
use crate::fault::Fault;

/// A file with its path.
#[derive(Default, Deserialize)]
struct Import {
    path: Option<String>,
    /// Base64 in a JSON body.
    content: Option<String>,
    #[serde(default)]
    overwrite: bool,
    format: Option<String>,
    language: Option<String>,
    #[serde(skip)]
    bytes: Option<Bytes>,
}

/// Stores a file: a JSON body with base64, or a form whose part `content` has
/// the bytes, as the official client's upload sends it.
pub(super) async fn import(
    State(app): State<App>,
    Caller(actor): Caller,
    request: Request,
) -> Result<Json<Value>, Fault> {
    let content_type = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let is_form = content_type.is_some_and(|kind| kind.to_ascii_lowercase().starts_with("multipart/form-data"));
    let import = if is_form { read_form(request).await? } else { read_json(request).await? };
    let path = import.path.ok_or_else(|| Fault::invalid("path", "parameter-missing", "\"path\" is missing"))?;
    let bytes = import.bytes.ok_or_else(|| Fault::invalid("content", "parameter-missing", "\"content\" is missing"))?;
    let format = format_of(import.format.as_deref())?;
    let (content, language) = (bytes.to_vec(), import.language.as_deref());
    app.workspace.import_object(&actor, &path, content, format, language, import.overwrite).await?;
    Ok(Json(json!({})))
}

/// A path.
#[derive(Deserialize)]
pub(super) struct At {
    path: String,
}

/// What is exported.
#[derive(Deserialize)]
pub(super) struct Export {
    path: String,
    format: Option<String>,
    #[serde(default)]
    direct_download: bool,
}

/// What is removed.
#[derive(Deserialize)]
pub(super) struct Gone {
    path: String,
    #[serde(default)]
    recursive: bool,
}

/// How a file is put.
#[derive(Deserialize)]
pub(super) struct Put {
    #[serde(default)]
    overwrite: bool,
}

/// Stores the bytes of a request, as command lines send them.
pub(super) async fn import_file(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(path): Path<String>,
    Query(put): Query<Put>,
    request: Request,
) -> Result<Json<Value>, Fault> {
    let bytes = body::whole(request, &()).await?;
    let path = format!("/{}", path.trim_start_matches('/'));
    app.workspace.import_object(&actor, &path, bytes.to_vec(), ImportFormat::Auto, None, put.overwrite).await?;
    Ok(Json(json!({})))
}

/// Sends an object: as base64, or its bytes as they are.
pub(super) async fn export(
    State(app): State<App>,
    Caller(_): Caller,
    Query(wanted): Query<Export>,
) -> Result<Response, Fault> {
    match wanted.format.as_deref().unwrap_or("SOURCE") {
        "SOURCE" | "AUTO" | "RAW" => {}
        other => return Err(not_taken(other)),
    }
    let object = app.workspace.object(&wanted.path).await?;
    let ending = match object.kind {
        ObjectKind::Directory => {
            let detail =
                format!("\"{}\" is a folder: folders are exported in the format DBC, which is not there", wanted.path);
            return Err(Fault::new(StatusCode::NOT_IMPLEMENTED, "not-implemented", detail));
        }
        ObjectKind::Notebook("PYTHON") => "py",
        ObjectKind::Notebook("SQL") => "sql",
        ObjectKind::Notebook("SCALA") => "scala",
        ObjectKind::Notebook(_) => "r",
        ObjectKind::File => {
            object.path.rsplit('/').next().and_then(|name| name.rsplit_once('.')).map_or("", |(_, ending)| ending)
        }
    };
    let content = app.workspace.export_file(&wanted.path).await?;
    if wanted.direct_download {
        let headers = [(CONTENT_TYPE, "application/octet-stream"), (CONTENT_DISPOSITION, "attachment")];
        return Ok((headers, content).into_response());
    }
    Ok(Json(json!({ "content": BASE64.encode(content), "file_type": ending })).into_response())
}

/// Lists a folder.
pub(super) async fn list(
    State(app): State<App>,
    Caller(_): Caller,
    Query(At { path }): Query<At>,
) -> Result<Json<Value>, Fault> {
    let objects: Vec<Value> = app.workspace.list_objects(&path).await?.iter().map(shown).collect();
    Ok(Json(if objects.is_empty() { json!({}) } else { json!({ "objects": objects }) }))
}

/// Shows what stands at a path.
pub(super) async fn get_status(
    State(app): State<App>,
    Caller(_): Caller,
    Query(At { path }): Query<At>,
) -> Result<Json<Value>, Fault> {
    Ok(Json(shown(&app.workspace.object(&path).await?)))
}

/// Makes a folder.
pub(super) async fn mkdirs(
    State(app): State<App>,
    Caller(actor): Caller,
    body::Json(At { path }): body::Json<At>,
) -> Result<Json<Value>, Fault> {
    app.workspace.make_folder(&actor, &path).await?;
    Ok(Json(json!({})))
}

/// Removes a file, a notebook or a folder.
pub(super) async fn delete(
    State(app): State<App>,
    Caller(actor): Caller,
    body::Json(Gone { path, recursive }): body::Json<Gone>,
) -> Result<Json<Value>, Fault> {
    app.workspace.delete_object(&actor, &path, recursive).await?;
    Ok(Json(json!({})))
}

fn shown(object: &WorkspaceObject) -> Value {
    let modified = object.modified_at.as_millis();
    let mut shown = json!({
        "path": object.path,
        "object_type": match object.kind {
            ObjectKind::File => "FILE",
            ObjectKind::Notebook(_) => "NOTEBOOK",
            ObjectKind::Directory => "DIRECTORY",
        },
        "object_id": object.id,
        "resource_id": object.id.to_string(),
        "created_at": modified,
        "modified_at": modified,
    });
    match object.kind {
        ObjectKind::Notebook(language) => shown["language"] = json!(language),
        ObjectKind::File => shown["size"] = json!(object.bytes),
        ObjectKind::Directory => {}
    }
    shown
}

fn format_of(word: Option<&str>) -> Result<ImportFormat, Fault> {
    match word.unwrap_or("SOURCE") {
        "AUTO" => Ok(ImportFormat::Auto),
        "SOURCE" => Ok(ImportFormat::Source),
        "RAW" => Ok(ImportFormat::Raw),
        "JUPYTER" => Ok(ImportFormat::Jupyter),
        other => Err(not_taken(other)),
    }
}

fn not_taken(format: &str) -> Fault {
    let detail = format!(
        "format \"{format}\" is not supported by this workspace: AUTO, SOURCE and RAW are, and JUPYTER on import"
    );
    match format {
        "DBC" | "HTML" | "R_MARKDOWN" | "JUPYTER" => Fault::new(StatusCode::NOT_IMPLEMENTED, "not-implemented", detail),
        _ => Fault::invalid("format", "parameter-invalid", detail),
    }
}

async fn read_json(request: Request) -> Result<Import, Fault> {
    let body::Json(mut import) = body::Json::<Import>::from_request(request, &()).await?;
    if let Some(content) = import.content.take() {
        let bytes = BASE64.decode(content.trim()).map_err(|error| {
            Fault::invalid("content", "parameter-invalid", format!("\"content\" is not base64: {error}"))
        })?;
        import.bytes = Some(bytes.into());
    }
    Ok(import)
}

async fn read_form(request: Request) -> Result<Import, Fault> {
    let broken = |error: MultipartError| body::broken_form("content", &error);
    let no_form = |error: MultipartRejection| {
        Fault::invalid("content", "form-broken", format!("the form cannot be read: {}", error.body_text()))
    };
    let mut form = Multipart::from_request(request, &()).await.map_err(no_form)?;
    let mut import = Import::default();
    while let Some(part) = form.next_field().await.map_err(broken)? {
        let name = part.name().unwrap_or_default().to_owned();
        let bytes = part.bytes().await.map_err(broken)?;
        let text = || String::from_utf8_lossy(&bytes).trim().to_owned();
        match name.as_str() {
            "path" => import.path = Some(text()),
            "format" => import.format = Some(text()),
            "language" => import.language = Some(text()),
            "overwrite" => import.overwrite = text().eq_ignore_ascii_case("true"),
            "content" => import.bytes = Some(bytes),
            // Whatever newer clients add says nothing here.
            _ => {}
        }
    }
    Ok(import)
}
