//! Chunks: the files of a push job, streamed from the wire to the spool.
//!
//! A chunk is the part named `file` of a form. Its bytes are handed on as they
//! come; a connection that breaks leaves nothing behind.

use std::future::Future;

use access::Permission;
use axum::Json;
use axum::body::Bytes;
use axum::extract::multipart::{Field, MultipartError};
use axum::extract::{FromRequest, Multipart, Path, Request, State};
use futures::StreamExt;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, StatusCode};
use pools::{ChunkKind, ChunkUpload, ItemUpload};
use serde_json::{Value, json};

use super::jobs::read_id;
use crate::app::App;
use crate::body;
use crate::caller::Caller;
use crate::fault::Fault;
use crate::rights;

/// The part that is a chunk; another name is a mistake that people make.
const PART: &str = "file";

/// Content types of a body that is a file by itself.
const BARE_FILES: [&str; 7] = [
    "text/csv",
    "application/csv",
    "application/octet-stream",
    "application/gzip",
    "application/x-gzip",
    "application/vnd.apache.parquet",
    "application/x-parquet",
];

/// Names of other parts that a message tells at most.
const OTHERS_MAX: usize = 10;

/// Adds rows to insert or to replace.
pub(super) async fn upsert(
    State(app): State<App>,
    Caller(actor): Caller,
    Path((pool, job)): Path<(String, String)>,
    request: Request,
) -> Result<StatusCode, Fault> {
    let pool = rights::pool(&app, &actor, &pool, Permission::DataPush).await?;
    take(&app, pool.id, &job, ChunkKind::Upsert, request).await
}

/// Adds keys to delete.
pub(super) async fn delete(
    State(app): State<App>,
    Caller(actor): Caller,
    Path((pool, job)): Path<(String, String)>,
    request: Request,
) -> Result<StatusCode, Fault> {
    let pool = rights::pool(&app, &actor, &pool, Permission::DataPush).await?;
    take(&app, pool.id, &job, ChunkKind::Delete, request).await
}

/// Lists the chunks of a push job.
pub(super) async fn list(
    State(app): State<App>,
    Caller(actor): Caller,
    Path((pool, job)): Path<(String, String)>,
) -> Result<Json<Vec<Value>>, Fault> {
    let pool = rights::pool(&app, &actor, &pool, Permission::DataPush).await?;
    let chunks = app.pools.chunks(pool.id, read_id(&job)?).await?;
    let wire = chunks.iter().map(|chunk| {
        json!({
            "id": chunk.id,
            "creationDate": chunk.created_at.as_millis(),
            "type": chunk.kind.as_str(),
            "pushJobId": chunk.job,
            "checksum": chunk.checksum,
        })
    });
    Ok(Json(wire.collect()))
}

async fn take(
    app: &App,
    pool: pools::PoolId,
    job: &str,
    kind: ChunkKind,
    request: Request,
) -> Result<StatusCode, Fault> {
    let job = read_id(job)?;
    let upload = read_form(request, |name| {
        let app = app.clone();
        async move { app.pools.add_chunk(pool, job, kind, &name).await }
    });
    upload.await?.finish().await?;
    Ok(StatusCode::OK)
}

/// Where the bytes of a file go.
pub(super) trait Sink {
    /// Takes the next bytes.
    fn write(&mut self, bytes: Bytes) -> impl Future<Output = Result<(), pools::Error>> + Send;
}

impl Sink for ChunkUpload {
    fn write(&mut self, bytes: Bytes) -> impl Future<Output = Result<(), pools::Error>> + Send {
        ChunkUpload::write(self, bytes)
    }
}

impl Sink for ItemUpload {
    fn write(&mut self, bytes: Bytes) -> impl Future<Output = Result<(), pools::Error>> + Send {
        ItemUpload::write(self, bytes)
    }
}

/// Reads the one file of a request: the part named `file` of a form or, for
/// those who send no form but say what it is, the body.
pub(super) async fn read_form<S: Sink, F>(request: Request, begin: impl Fn(String) -> F) -> Result<S, Fault>
where
    F: Future<Output = Result<S, pools::Error>>,
{
    if is_bare_file(request.headers()) {
        let mut upload = begin(String::new()).await?;
        let mut body = request.into_body().into_data_stream();
        while let Some(bytes) = body.next().await {
            upload.write(bytes.map_err(|error| body::broken_body(&error))?).await?;
        }
        return Ok(upload);
    }
    let no_form = |_| {
        let detail = format!("send the chunk as multipart/form-data, in a part named \"{PART}\"");
        Fault::invalid(PART, "chunk-not-a-form", detail)
    };
    let mut form = Multipart::from_request(request, &()).await.map_err(no_form)?;
    let mut upload: Option<S> = None;
    let mut others = Vec::new();
    while let Some(part) = form.next_field().await.map_err(broken)? {
        match part.name() {
            Some(PART) if upload.is_some() => {
                let detail = format!("the form has several parts named \"{PART}\": send each in a request of its own");
                return Err(Fault::invalid(PART, "chunk-part-repeated", detail));
            }
            Some(PART) => {
                let file_name = part.file_name().unwrap_or_default().to_owned();
                let mut begun = begin(file_name).await?;
                stream(part, &mut begun).await?;
                upload = Some(begun);
            }
            // A form can have millions of parts; their names are only for a message.
            _ if others.len() >= OTHERS_MAX => {}
            other => others.push(format!("\"{}\"", other.unwrap_or_default())),
        }
    }
    upload.ok_or_else(|| no_part(&others))
}

/// Tells whether the body is a file by itself, as some scripts send it.
fn is_bare_file(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    BARE_FILES.contains(&kind.as_str())
}

async fn stream(mut part: Field<'_>, upload: &mut impl Sink) -> Result<(), Fault> {
    while let Some(bytes) = part.chunk().await.map_err(broken)? {
        upload.write(bytes).await?;
    }
    Ok(())
}

fn no_part(others: &[String]) -> Fault {
    let detail = match others {
        [] => format!("the form is empty: the chunk must be a part named \"{PART}\""),
        others => format!("the form has no part named \"{PART}\", only {}", others.join(", ")),
    };
    Fault::invalid(PART, "chunk-part-missing", detail)
}

fn broken(error: MultipartError) -> Fault {
    body::broken_form(PART, &error)
}
