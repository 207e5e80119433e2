//! Sources of a pool: rows that come by themselves.
//!
//! A source is written as a document with a table, one of `folder`, `url` and
//! `postgres`, how the rows are pushed (in the words of the Data Push API), and
//! when. Its secrets go in and never come out: an address is shown without its
//! query, headers by their names, a connection not at all.

use std::collections::BTreeMap;
use std::path::PathBuf;

use access::Permission;
use axum::Json;
use axum::extract::{Path, State};
use base::foreign::WatermarkKind;
use base::{Secret, Timestamp};
use http::StatusCode;
use pools::{
    Afterwards, Origin, Rhythm, Sample, Source, SourceFormat, SourceRun, SourceSecrets, SourceSpec, WatermarkSpec,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use crate::app::App;
use crate::body;
use crate::caller::Caller;
use crate::fault::Fault;
use crate::push::job_form;
use crate::rights;

/// A source as it is written.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = SourceToPut)]
pub(super) struct NewSource {
    /// May repeat the key of the address, so that a file says what it is.
    key: Option<String>,
    table: String,
    /// As a push job of the Data Push API has it: `type`, `keys`,
    /// `csvParsingOptions`, `tableSchema` …
    #[serde(default)]
    #[schema(value_type = Object)]
    push: Map<String, Value>,
    folder: Option<FolderForm>,
    url: Option<UrlForm>,
    postgres: Option<PostgresForm>,
    #[schema(value_type = Option<Value>)]
    schedule: Option<Schedule>,
    paused: Option<bool>,
}

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = SourceFolder)]
struct FolderForm {
    #[schema(value_type = String)]
    path: PathBuf,
    #[serde(default = "everything")]
    pattern: String,
    #[serde(default = "settle_usual")]
    settle_seconds: u64,
    /// `keep`, `delete`, or `{"move": "/folder"}`.
    #[serde(default = "keep")]
    #[schema(value_type = Value)]
    afterwards: Afterwards,
}

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = SourceUrl)]
struct UrlForm {
    /// The address; `null` keeps the one that is there.
    address: Option<String>,
    #[schema(value_type = Option<String>)]
    format: Option<SourceFormat>,
    /// By name; `null` keeps the value that is there.
    #[serde(default)]
    #[schema(value_type = Object)]
    headers: BTreeMap<String, Option<String>>,
    #[serde(default = "timeout_usual")]
    timeout_seconds: u64,
    #[serde(default = "bytes_usual")]
    bytes_max: u64,
}

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = SourcePostgres)]
struct PostgresForm {
    /// The connection text; `null` keeps the one that is there.
    connection: Option<String>,
    query: String,
    watermark: Option<WatermarkForm>,
    #[serde(default = "batch_usual")]
    batch_rows: usize,
    rows_max: Option<u64>,
    #[serde(default = "timeout_usual")]
    timeout_seconds: u64,
}

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = SourceWatermark)]
struct WatermarkForm {
    column: String,
    #[serde(rename = "type")]
    #[schema(value_type = String)]
    kind: WatermarkKind,
    #[schema(value_type = Option<Value>)]
    start: Option<Value>,
    #[serde(default)]
    overlap: u64,
}

/// `{"everySeconds": 30}`, or a scheduling object.
#[derive(Deserialize)]
#[serde(untagged)]
enum Schedule {
    #[serde(rename_all = "camelCase")]
    Every {
        every_seconds: u64,
    },
    Scheduled(base::schedule::Schedule),
}

/// How often a source looks about which nothing is said.
const EVERY_SECONDS_USUAL: u64 = 60;

fn everything() -> String {
    "*".into()
}

fn settle_usual() -> u64 {
    5
}

fn keep() -> Afterwards {
    Afterwards::Keep
}

fn timeout_usual() -> u64 {
    60
}

fn bytes_usual() -> u64 {
    64 << 20
}

fn batch_usual() -> usize {
    1_000
}

/// A run of a source.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = SourceRun)]
pub(super) struct RunShown {
    id: String,
    state: &'static str,
    /// What was fetched.
    label: String,
    #[schema(required = true)]
    push_job: Option<String>,
    rows: u64,
    #[schema(required = true)]
    detail: Option<String>,
    #[schema(value_type = String, format = DateTime)]
    started_at: Timestamp,
    #[schema(value_type = Option<String>, format = DateTime, required = true)]
    ended_at: Option<Timestamp>,
}

/// What a source would bring.
#[derive(Serialize, ToSchema)]
#[schema(as = SourceSample)]
pub(super) struct SampleShown {
    #[schema(required = true)]
    label: Option<String>,
    columns: Vec<SampleColumn>,
    /// By the names of the columns.
    #[schema(value_type = Vec<Object>)]
    rows: Vec<Map<String, Value>>,
    notes: Vec<String>,
}

/// A column of a sample.
#[derive(Serialize, ToSchema)]
#[schema(as = SourceSampleColumn)]
struct SampleColumn {
    name: String,
    #[serde(rename = "type")]
    #[schema(value_type = String)]
    kind: pools::rows::ColumnType,
}

/// A file of a folder that cannot be read.
#[derive(Serialize, ToSchema)]
struct BadFile {
    name: String,
    detail: String,
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
}

/// A source as it is shown.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Source)]
pub(super) struct SourceShown {
    id: String,
    key: String,
    kind: &'static str,
    table: String,
    #[schema(value_type = Value)]
    push: Value,
    #[serde(flatten)]
    #[schema(value_type = Object)]
    origin: Map<String, Value>,
    #[schema(value_type = Value)]
    schedule: Value,
    paused: bool,
    /// Something is different from before; told when it is put.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    changed: Option<bool>,
    #[schema(required = true)]
    watermark: Option<String>,
    failures: u32,
    #[schema(required = true)]
    last_error: Option<String>,
    #[schema(value_type = Option<String>, format = DateTime, required = true)]
    last_run_at: Option<Timestamp>,
    #[schema(value_type = Option<String>, format = DateTime, required = true)]
    next_at: Option<Timestamp>,
    rows: u64,
    runs_done: u64,
    runs_failed: u64,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    created_by: String,
    #[schema(value_type = String, format = DateTime)]
    changed_at: Timestamp,
    /// Files that cannot be read; told of a single source.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    bad_files: Option<Vec<BadFile>>,
}

/// Lists the sources of a pool.
pub(super) async fn list(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(pool): Path<String>,
) -> Result<Json<Vec<SourceShown>>, Fault> {
    let pool = rights::pool(&app, &actor, &pool, Permission::UsePool).await?;
    let sources = app.pools.sources(pool.id).await?;
    Ok(Json(sources.into_iter().map(SourceShown::from).collect()))
}

/// Shows a source.
pub(super) async fn show(
    State(app): State<App>,
    Caller(actor): Caller,
    Path((pool, key)): Path<(String, String)>,
) -> Result<Json<SourceShown>, Fault> {
    let pool = rights::pool(&app, &actor, &pool, Permission::UsePool).await?;
    let mut shown = SourceShown::from(app.pools.source(pool.id, &key).await?);
    let bad = app.pools.bad_files(pool.id, &key).await?.into_iter();
    shown.bad_files = Some(bad.map(|file| BadFile { name: file.name, detail: file.detail, at: file.at }).collect());
    Ok(Json(shown))
}

/// Makes a source, or changes it.
pub(super) async fn put(
    State(app): State<App>,
    Caller(actor): Caller,
    Path((pool, key)): Path<(String, String)>,
    body::Json(new): body::Json<NewSource>,
) -> Result<Json<SourceShown>, Fault> {
    let pool = rights::pool(&app, &actor, &pool, Permission::AdminPool).await?;
    let paused = new.paused;
    let (spec, secrets) = new.read(&key)?;
    let (source, changed) = app.pools.put_source(&actor, pool.id, &key, spec, secrets, paused).await?;
    Ok(Json(SourceShown { changed: Some(changed), ..SourceShown::from(source) }))
}

/// Removes a source.
pub(super) async fn remove(
    State(app): State<App>,
    Caller(actor): Caller,
    Path((pool, key)): Path<(String, String)>,
) -> Result<StatusCode, Fault> {
    let pool = rights::pool(&app, &actor, &pool, Permission::AdminPool).await?;
    app.pools.delete_source(&actor, pool.id, &key).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Lets a source look now.
pub(super) async fn run(
    State(app): State<App>,
    Caller(actor): Caller,
    Path((pool, key)): Path<(String, String)>,
) -> Result<Json<SourceShown>, Fault> {
    let pool = rights::pool(&app, &actor, &pool, Permission::AdminPool).await?;
    Ok(Json(app.pools.run_source(&actor, pool.id, &key).await?.into()))
}

/// Lets a source look only when asked.
pub(super) async fn pause(
    State(app): State<App>,
    Caller(actor): Caller,
    Path((pool, key)): Path<(String, String)>,
) -> Result<Json<SourceShown>, Fault> {
    let pool = rights::pool(&app, &actor, &pool, Permission::AdminPool).await?;
    Ok(Json(app.pools.pause_source(&actor, pool.id, &key).await?.into()))
}

/// Lets a source look by itself again.
pub(super) async fn resume(
    State(app): State<App>,
    Caller(actor): Caller,
    Path((pool, key)): Path<(String, String)>,
) -> Result<Json<SourceShown>, Fault> {
    let pool = rights::pool(&app, &actor, &pool, Permission::AdminPool).await?;
    Ok(Json(app.pools.resume_source(&actor, pool.id, &key).await?.into()))
}

/// Lists what a source brought and failed to bring.
pub(super) async fn runs(
    State(app): State<App>,
    Caller(actor): Caller,
    Path((pool, key)): Path<(String, String)>,
) -> Result<Json<Vec<RunShown>>, Fault> {
    let pool = rights::pool(&app, &actor, &pool, Permission::UsePool).await?;
    let runs = app.pools.source_runs(pool.id, &key).await?;
    Ok(Json(runs.into_iter().map(RunShown::from).collect()))
}

/// Shows the first rows of what a source would bring: the one that is there,
/// or one that is only written down.
pub(super) async fn test(
    State(app): State<App>,
    Caller(actor): Caller,
    Path((pool, key)): Path<(String, String)>,
    body::MaybeJson(new): body::MaybeJson<NewSource>,
) -> Result<Json<SampleShown>, Fault> {
    let pool = rights::pool(&app, &actor, &pool, Permission::AdminPool).await?;
    let draft = new.map(|new| new.read(&key)).transpose()?;
    Ok(Json(sample_form(app.pools.test_source(pool.id, &key, draft).await?)))
}

impl From<SourceRun> for RunShown {
    fn from(run: SourceRun) -> Self {
        RunShown {
            id: run.id.to_string(),
            state: run.state.as_str(),
            label: run.label,
            push_job: run.push_job.map(|job| job.to_string()),
            rows: run.rows,
            detail: run.detail,
            started_at: run.started_at,
            ended_at: run.ended_at,
        }
    }
}

fn sample_form(sample: Sample) -> SampleShown {
    let names: Vec<String> = sample.columns.iter().map(|(name, _)| name.clone()).collect();
    let columns = sample.columns.into_iter().map(|(name, kind)| SampleColumn { name, kind });
    let rows = sample.rows.into_iter().map(|row| names.iter().cloned().zip(row).collect());
    SampleShown { label: sample.label, columns: columns.collect(), rows: rows.collect(), notes: sample.notes }
}

impl NewSource {
    fn read(self, key: &str) -> Result<(SourceSpec, SourceSecrets), Fault> {
        if self.key.as_ref().is_some_and(|own| own != key) {
            return Err(Fault::invalid("key", "key-mismatch", format!("it is not \"{key}\", as the address says")));
        }
        let mut push = self.push;
        push.insert("targetName".into(), self.table.into());
        push.entry("type").or_insert("DELTA".into());
        push.entry("fileType").or_insert("CSV".into());
        let push = job_form::read(&Value::Object(push).to_string())?;
        let (origin, secrets) = match (self.folder, self.url, self.postgres) {
            (Some(folder), None, None) => folder.read(),
            (None, Some(url), None) => url.read(),
            (None, None, Some(postgres)) => postgres.read(),
            _ => {
                let detail = "a source has one of \"folder\", \"url\" and \"postgres\"";
                return Err(Fault::invalid("folder", "source-kind", detail));
            }
        };
        let rhythm = match self.schedule {
            None => Rhythm::Every { every_seconds: EVERY_SECONDS_USUAL },
            Some(Schedule::Every { every_seconds }) => Rhythm::Every { every_seconds },
            Some(Schedule::Scheduled(schedule)) => Rhythm::Scheduled(schedule),
        };
        Ok((SourceSpec { origin, push, rhythm }, secrets))
    }
}

impl FolderForm {
    fn read(self) -> (Origin, SourceSecrets) {
        let FolderForm { path, pattern, settle_seconds, afterwards } = self;
        (Origin::Folder(pools::Folder { path, pattern, settle_seconds, afterwards }), SourceSecrets::default())
    }
}

impl UrlForm {
    fn read(self) -> (Origin, SourceSecrets) {
        let UrlForm { address, format, headers, timeout_seconds, bytes_max } = self;
        let headers = headers.into_iter().map(|(name, value)| (name.to_ascii_lowercase(), value.map(Secret::new)));
        let secrets =
            SourceSecrets { url: address.map(Secret::new), headers: headers.collect(), ..SourceSecrets::default() };
        // What may be shown of the address is made of the secret.
        let url = pools::Url { address: String::new(), format, headers: Vec::new(), timeout_seconds, bytes_max };
        (Origin::Url(url), secrets)
    }
}

impl PostgresForm {
    fn read(self) -> (Origin, SourceSecrets) {
        let watermark = self.watermark.map(|form| WatermarkSpec {
            column: form.column,
            kind: form.kind,
            start: form.start.map(|start| match start {
                Value::String(text) => text,
                other => other.to_string(),
            }),
            overlap: form.overlap,
        });
        let PostgresForm { connection, query, batch_rows, rows_max, timeout_seconds, .. } = self;
        let secrets = SourceSecrets { connection: connection.map(Secret::new), ..SourceSecrets::default() };
        (Origin::Postgres(pools::Postgres { query, watermark, batch_rows, rows_max, timeout_seconds }), secrets)
    }
}

impl From<Source> for SourceShown {
    fn from(source: Source) -> Self {
        let origin = match &source.spec.origin {
            Origin::Folder(folder) => json!({ "folder": {
                "path": folder.path,
                "pattern": folder.pattern,
                "settleSeconds": folder.settle_seconds,
                "afterwards": folder.afterwards,
            }}),
            Origin::Url(url) => json!({ "url": {
                "address": url.address,
                "format": url.format,
                "headers": url.headers,
                "timeoutSeconds": url.timeout_seconds,
                "bytesMax": url.bytes_max,
            }}),
            Origin::Postgres(postgres) => json!({ "postgres": {
                "query": postgres.query,
                "watermark": postgres.watermark.as_ref().map(|watermark| json!({
                    "column": watermark.column,
                    "type": watermark.kind,
                    "start": watermark.start,
                    "overlap": watermark.overlap,
                })),
                "batchRows": postgres.batch_rows,
                "rowsMax": postgres.rows_max,
                "timeoutSeconds": postgres.timeout_seconds,
            }}),
        };
        let origin = if let Value::Object(origin) = origin { origin } else { Map::new() };
        let schedule = match &source.spec.rhythm {
            Rhythm::Every { every_seconds } => json!({ "everySeconds": every_seconds }),
            Rhythm::Scheduled(schedule) => json!(schedule),
        };
        SourceShown {
            id: source.id.to_string(),
            key: source.key,
            kind: source.spec.origin.word(),
            table: source.spec.push.target,
            push: source.spec.push.echo,
            origin,
            schedule,
            paused: source.paused,
            changed: None,
            watermark: source.cursor.watermark,
            failures: source.failures,
            last_error: source.last_error,
            last_run_at: source.last_run_at,
            next_at: source.next_at,
            rows: source.rows_in,
            runs_done: source.runs_done,
            runs_failed: source.runs_failed,
            created_at: source.created_at,
            created_by: source.created_by,
            changed_at: source.changed_at,
            bad_files: None,
        }
    }
}
