//! Chunks: the files of a push job, streamed from the wire to the spool.
//!
//! A chunk is the part named `file` of a form. Its bytes are handed on as they
//! come; a connection that breaks leaves nothing behind.

use access::Permission;
use axum::Json;
use axum::extract::multipart::{Field, MultipartError};
use axum::extract::{FromRequest, Multipart, Path, Request, State};
use http::StatusCode;
use pools::{ChunkKind, ChunkUpload};
use serde_json::{Value, json};

use super::jobs::read_id;
use crate::app::App;
use crate::body;
use crate::caller::Caller;
use crate::fault::Fault;
use crate::rights;

/// The part that is a chunk; another name is a mistake that people make.
const PART: &str = "file";

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
    let no_form = |_| {
        let detail = format!("send the chunk as multipart/form-data, in a part named \"{PART}\"");
        Fault::invalid(PART, "chunk-not-a-form", detail)
    };
    let mut form = Multipart::from_request(request, &()).await.map_err(no_form)?;
    let mut upload: Option<ChunkUpload> = None;
    let mut others = Vec::new();
    while let Some(part) = form.next_field().await.map_err(broken)? {
        match part.name() {
            Some(PART) if upload.is_some() => {
                let detail = format!("the form has several parts named \"{PART}\": send each in a request of its own");
                return Err(Fault::invalid(PART, "chunk-part-repeated", detail));
            }
            Some(PART) => {
                let file_name = part.file_name().unwrap_or_default().to_owned();
                let mut begun = app.pools.add_chunk(pool, job, kind, &file_name).await?;
                stream(part, &mut begun).await?;
                upload = Some(begun);
            }
            // A form can have millions of parts; their names are only for a message.
            _ if others.len() >= OTHERS_MAX => {}
            other => others.push(format!("\"{}\"", other.unwrap_or_default())),
        }
    }
    let Some(upload) = upload else { return Err(no_part(&others)) };
    upload.finish().await?;
    Ok(StatusCode::OK)
}

async fn stream(mut part: Field<'_>, upload: &mut ChunkUpload) -> Result<(), Fault> {
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
