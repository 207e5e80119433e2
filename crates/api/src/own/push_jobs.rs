//! Push jobs as our own interface shows them: those of the Data Push API and
//! the files of continuous push alike, with what became of their chunks.

use access::{Permission, Scope};
use axum::Json;
use axum::extract::{Path, State};
use base::{Actor, Timestamp};
use http::StatusCode;
use pools::{Chunk, FileType, JobDetails, Pool, PushJob, PushType};
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::body::Text;
use crate::caller::Caller;
use crate::fault::Fault;
use crate::push::{read_again, read_id};
use crate::rights;

/// A push job.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = PushJob)]
pub(super) struct JobShown {
    id: String,
    table: String,
    #[serde(rename = "type")]
    job_type: &'static str,
    file_type: &'static str,
    status: &'static str,
    logs: Vec<String>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    created_by: String,
    #[schema(value_type = Option<String>, format = DateTime, required = true)]
    executed_at: Option<Timestamp>,
    #[schema(value_type = String, format = DateTime)]
    changed_at: Timestamp,
    /// Once it is done.
    #[schema(required = true)]
    commit: Option<CommitShown>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = PushJobCommit)]
struct CommitShown {
    number: u64,
    upserted: u64,
    deleted: u64,
}

/// A push job with its chunks.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = PushJobWithChunks)]
pub(super) struct DetailsShown {
    #[serde(flatten)]
    job: JobShown,
    chunks: Vec<ChunkShown>,
    /// Until when its files stay, so that it can be loaded again.
    #[schema(value_type = Option<String>, format = DateTime, required = true)]
    kept_until: Option<Timestamp>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = PushJobChunk)]
struct ChunkShown {
    id: String,
    #[serde(rename = "type")]
    kind: &'static str,
    file_name: String,
    bytes: u64,
    checksum: String,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// Its file is still there.
    kept: bool,
}

/// Lists the newest push jobs of a pool.
pub(super) async fn list(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(pool): Path<String>,
) -> Result<Json<Vec<JobShown>>, Fault> {
    let pool = seen_pool(&app, &actor, &pool).await?;
    let jobs = app.pools.recent_jobs(pool.id).await?;
    Ok(Json(jobs.into_iter().map(JobShown::from).collect()))
}

/// Shows a push job.
pub(super) async fn show(
    State(app): State<App>,
    Caller(actor): Caller,
    Path((pool, job)): Path<(String, String)>,
) -> Result<Json<DetailsShown>, Fault> {
    let pool = seen_pool(&app, &actor, &pool).await?;
    Ok(Json(app.pools.job_details(pool.id, read_id(&job)?).await?.into()))
}

/// Loads a push job again under other options.
pub(super) async fn reload(
    State(app): State<App>,
    Caller(actor): Caller,
    Path((pool, job)): Path<(String, String)>,
    Text(text): Text,
) -> Result<(StatusCode, Json<JobShown>), Fault> {
    let pool = rights::pool(&app, &actor, &pool, Permission::DataPush).await?;
    let job = app.pools.job(pool.id, read_id(&job)?).await?;
    let made = app.pools.reload(&actor, pool.id, job.id, read_again(&job, &text)?).await?;
    Ok((StatusCode::CREATED, Json(made.into())))
}

/// Finds a pool for somebody who may use it, or push into it in either way.
async fn seen_pool(app: &App, actor: &Actor, pool: &str) -> Result<Pool, Fault> {
    if let Ok(known) = app.pools.pool(pool).await {
        let scope = Scope::Pool(known.id.to_string());
        for right in [Permission::DataPush, Permission::ContinuousDataPush] {
            if app.access.require(actor, right, &scope).await.is_ok() {
                return Ok(known);
            }
        }
    }
    rights::pool(app, actor, pool, Permission::UsePool).await
}

impl From<PushJob> for JobShown {
    fn from(job: PushJob) -> Self {
        JobShown {
            id: job.id.to_string(),
            table: job.spec.target,
            job_type: match (job.spec.continuous, job.spec.job_type) {
                (Some(_), _) => "CONTINUOUS",
                (None, PushType::Replace) => "REPLACE",
                (None, PushType::Delta) => "DELTA",
            },
            file_type: match job.spec.file_type {
                FileType::Csv => "CSV",
                FileType::Parquet => "PARQUET",
            },
            status: job.state.as_str(),
            logs: job.logs,
            created_at: job.created_at,
            created_by: job.created_by,
            executed_at: job.executed_at,
            changed_at: job.changed_at,
            commit: job.committed.map(|committed| CommitShown {
                number: committed.number,
                upserted: committed.upserted,
                deleted: committed.deleted,
            }),
        }
    }
}

impl From<JobDetails> for DetailsShown {
    fn from(details: JobDetails) -> Self {
        let JobDetails { job, chunks, kept_until } = details;
        let kept = kept_until.is_some() || !job.state.is_final();
        let chunks = chunks.into_iter().map(|chunk| {
            let Chunk { id, kind, file_name, bytes, checksum, created_at, .. } = chunk;
            ChunkShown { id: id.to_string(), kind: kind.as_str(), file_name, bytes, checksum, created_at, kept }
        });
        DetailsShown { chunks: chunks.collect(), kept_until, job: job.into() }
    }
}
