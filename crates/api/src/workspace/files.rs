//! Files of the workspace, as far as jobs need them: import.

use axum::Json;
use axum::body::Bytes;
use axum::extract::multipart::{MultipartError, MultipartRejection};
use axum::extract::{FromRequest, Multipart, Request, State};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use http::header::CONTENT_TYPE;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::app::App;
use crate::body;
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
    if let Some("DBC" | "HTML" | "JUPYTER" | "R_MARKDOWN") = import.format.as_deref() {
        let format = import.format.unwrap_or_default();
        let detail = format!("format \"{format}\" is not supported by this workspace: files are stored as they are");
        return Err(Fault::invalid("format", "setting-not-supported", detail));
    }
    app.workspace.import_file(&actor, &path, bytes.to_vec(), import.overwrite).await?;
    Ok(Json(json!({})))
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
            "overwrite" => import.overwrite = text().eq_ignore_ascii_case("true"),
            "content" => import.bytes = Some(bytes),
            // `language` and whatever newer clients add say nothing here.
            _ => {}
        }
    }
    Ok(import)
}
