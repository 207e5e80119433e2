//! SQL statements over HTTP: execute, look, fetch chunks, cancel.
//!
//! A statement that fails is an answer like any other: HTTP 200 with the state
//! FAILED. Only a request that cannot be taken is refused.

use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};
use tokio_util::io::ReaderStream;
use workspace::sql::{Form, Parameter};
use workspace::{Disposition, StatementSpec, StatementState, StatementView};

use super::number::Number;
use crate::app::App;
use crate::body::{self, Query};
use crate::caller::Caller;
use crate::fault::Fault;

/// Bytes of a statement at most.
const STATEMENT_BYTES_MAX: usize = 16 << 20;
/// Bytes of a request that carries one: it may be escaped.
pub(super) const REQUEST_BYTES_MAX: usize = 24 << 20;

/// A statement to be executed.
#[derive(Deserialize)]
pub(super) struct Execute {
    statement: String,
    warehouse_id: Option<String>,
    catalog: Option<String>,
    schema: Option<String>,
    #[serde(default)]
    parameters: Vec<Given>,
    row_limit: Option<Number>,
    byte_limit: Option<Number>,
    format: Option<String>,
    disposition: Option<String>,
    wait_timeout: Option<String>,
    on_wait_timeout: Option<String>,
    session_id: Option<String>,
    result_compression: Option<String>,
}

#[derive(Deserialize)]
struct Given {
    name: Option<String>,
    value: Option<Value>,
    #[serde(rename = "type")]
    kind: Option<String>,
}

/// Executes a statement.
pub(super) async fn execute(
    State(app): State<App>,
    Caller(actor): Caller,
    body::Json(asked): body::Json<Execute>,
) -> Result<Response, Fault> {
    let spec = spec_of(asked)?;
    let view = app.workspace.execute_statement(&actor, spec).await?;
    shown(&app, &view, Some(0)).await
}

/// Shows where a statement is, with the first chunk of its answer.
pub(super) async fn get(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(id): Path<String>,
) -> Result<Response, Fault> {
    let view = app.workspace.statement(&actor, &id).await?;
    shown(&app, &view, Some(0)).await
}

/// Shows a chunk of an answer.
pub(super) async fn chunk(
    State(app): State<App>,
    Caller(actor): Caller,
    Path((id, chunk)): Path<(String, usize)>,
) -> Result<Response, Fault> {
    let view = app.workspace.statement(&actor, &id).await?;
    let result = result_of(&app, &view, chunk).await?;
    Ok(raw(&result))
}

/// Asks a statement to stop.
pub(super) async fn cancel(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(id): Path<String>,
) -> Result<Json<Value>, Fault> {
    app.workspace.cancel_statement(&actor, &id).await?;
    Ok(Json(json!({})))
}

/// Forgets an answer.
pub(super) async fn close(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(id): Path<String>,
) -> Result<Json<Value>, Fault> {
    app.workspace.close_statement(&actor, &id).await?;
    Ok(Json(json!({})))
}

/// Which link is opened.
#[derive(Deserialize)]
pub(super) struct Key {
    key: String,
}

/// Sends a chunk to whoever has its link. As with the real ones, a token has
/// no place here: whoever sends it everywhere learns of it now.
pub(super) async fn open_link(
    State(app): State<App>,
    headers: HeaderMap,
    Query(Key { key }): Query<Key>,
) -> Result<Response, Fault> {
    if headers.contains_key(AUTHORIZATION) {
        let detail = "this link is signed: fetch it without an Authorization header";
        return Err(Fault::invalid("Authorization", "parameter-invalid", detail));
    }
    let (form, file) = app.workspace.open_statement_link(&key).await?;
    let gone = || Fault::not_found("resource-not-found", "the result is not kept any more");
    let file = tokio::fs::File::open(file).await.map_err(|_| gone())?;
    let length = file.metadata().await.map_err(|_| gone())?.len();
    let kind = match form {
        Form::JsonArray => "application/json",
        Form::Csv => "text/csv; charset=utf-8",
        Form::ArrowStream => "application/vnd.apache.arrow.stream",
    };
    let headers = [(CONTENT_TYPE, kind.to_owned()), (CONTENT_LENGTH, length.to_string())];
    Ok((headers, Body::from_stream(ReaderStream::new(file))).into_response())
}

/// Which part of the history is asked for.
#[derive(Deserialize)]
pub(super) struct History {
    max_results: Option<body::Whole>,
    page_token: Option<String>,
}

/// Lists statements, newest first.
pub(super) async fn history(
    State(app): State<App>,
    Caller(actor): Caller,
    Query(wanted): Query<History>,
) -> Result<Json<Value>, Fault> {
    let limit = wanted.max_results.map_or(100, |max| max.clamped(1, 1_000));
    let before = match wanted.page_token.as_deref().filter(|token| !token.is_empty()) {
        None => None,
        Some(token) => {
            let wrong = || Fault::invalid("page_token", "parameter-invalid", "\"page_token\" is not one of this list");
            let (micros, id) = token.split_once('.').ok_or_else(wrong)?;
            Some((base::Timestamp::from_micros(micros.parse().map_err(|_| wrong())?), id.to_owned()))
        }
    };
    let mut found = app.workspace.statement_history(&actor, before, limit as u32 + 1).await?;
    let has_more = found.len() > limit;
    found.truncate(limit);
    let next = found.last().filter(|_| has_more).map(|last| format!("{}.{}", last.created_at.as_micros(), last.id));
    let shown = found.iter().map(|view| {
        let status = match view.state {
            StatementState::Pending => "QUEUED",
            StatementState::Running => "RUNNING",
            StatementState::Succeeded | StatementState::Closed => "FINISHED",
            StatementState::Failed => "FAILED",
            StatementState::Canceled => "CANCELED",
        };
        let ended = view.ended_at.map(base::Timestamp::as_millis);
        let mut entry = json!({
            "query_id": view.id,
            "status": status,
            "query_text": view.statement,
            "query_start_time_ms": view.created_at.as_millis(),
            "query_end_time_ms": ended,
            "execution_end_time_ms": ended,
            "duration": ended.map(|ended| ended - view.created_at.as_millis()),
            "warehouse_id": view.warehouse,
            "endpoint_id": view.warehouse,
            "user_name": view.owner,
            "is_final": view.state.is_final(),
            "rows_produced": view.manifest.as_ref().map_or(0, workspace::Manifest::rows),
        });
        if let Some((_, message, _)) = &view.error {
            entry["error_message"] = json!(message);
        }
        entry
    });
    let mut answer = json!({ "res": shown.collect::<Vec<_>>(), "has_next_page": has_more });
    if let Some(next) = next {
        answer["next_page_token"] = json!(next);
    }
    Ok(Json(answer))
}

fn spec_of(asked: Execute) -> Result<StatementSpec, Fault> {
    let wrong = |field: &'static str, detail: String| Fault::invalid(field, "parameter-invalid", detail);
    if asked.statement.trim().is_empty() {
        return Err(wrong("statement", "\"statement\" is empty".into()));
    }
    if asked.statement.len() > STATEMENT_BYTES_MAX {
        return Err(wrong("statement", format!("\"statement\" has at most {STATEMENT_BYTES_MAX} bytes")));
    }
    if asked.session_id.is_some() {
        return Err(not_here(
            "sessions of SQL drivers are not there yet: send \"warehouse_id\" without \"session_id\"",
        ));
    }
    if asked.result_compression.as_deref().is_some_and(|word| !word.is_empty() && word != "NONE") {
        return Err(not_here("results are not compressed here: leave \"result_compression\" out"));
    }
    let Some(warehouse) = asked.warehouse_id.filter(|id| !id.is_empty()) else {
        return Err(wrong("warehouse_id", "\"warehouse_id\" is missing: \"local\" is always there".into()));
    };
    let form = match asked.format.as_deref().unwrap_or("JSON_ARRAY") {
        "JSON_ARRAY" => Form::JsonArray,
        "CSV" => Form::Csv,
        "ARROW_STREAM" => Form::ArrowStream,
        other => return Err(wrong("format", format!("\"{other}\" is none of JSON_ARRAY, CSV and ARROW_STREAM"))),
    };
    let disposition = match asked.disposition.as_deref().unwrap_or("INLINE") {
        "INLINE" if form != Form::JsonArray => {
            return Err(wrong(
                "disposition",
                "CSV and ARROW_STREAM go with the disposition EXTERNAL_LINKS only".into(),
            ));
        }
        "INLINE" => Disposition::Inline,
        "EXTERNAL_LINKS" => Disposition::ExternalLinks,
        "INLINE_OR_EXTERNAL_LINKS" => {
            return Err(not_here("the disposition INLINE_OR_EXTERNAL_LINKS is not there yet: choose one of the two"));
        }
        other => return Err(wrong("disposition", format!("\"{other}\" is neither INLINE nor EXTERNAL_LINKS"))),
    };
    let limit = |field: &'static str, number: Option<Number>| match number {
        None => Ok(None),
        Some(Number(number)) => match u64::try_from(number) {
            Ok(number) if number > 0 => Ok(Some(number)),
            _ => Err(wrong(field, format!("\"{field}\" must be a whole number from 1 on"))),
        },
    };
    let cancel_if_slow = match asked.on_wait_timeout.as_deref().unwrap_or("CONTINUE") {
        "CONTINUE" => false,
        "CANCEL" => true,
        other => return Err(wrong("on_wait_timeout", format!("\"{other}\" is neither CONTINUE nor CANCEL"))),
    };
    let wait = wait_of(asked.wait_timeout.as_deref().unwrap_or("10s"))?;
    if wait.is_zero() && cancel_if_slow {
        return Err(wrong("on_wait_timeout", "\"CANCEL\" needs a \"wait_timeout\" above 0s".into()));
    }
    let mut parameters = Vec::new();
    for given in asked.parameters {
        let Some(name) = given.name.filter(|name| !name.is_empty()) else {
            return Err(wrong("parameters", "a parameter has no \"name\": markers are named, \":name\"".into()));
        };
        let value = match given.value {
            None | Some(Value::Null) => None,
            Some(Value::String(text)) => Some(text),
            Some(other) => Some(other.to_string()),
        };
        let kind = given.kind.filter(|kind| !kind.is_empty()).unwrap_or_else(|| "STRING".into());
        parameters.push(Parameter { name, value, kind });
    }
    Ok(StatementSpec {
        statement: asked.statement,
        warehouse,
        catalog: asked.catalog.filter(|name| !name.is_empty()),
        schema: asked.schema.filter(|name| !name.is_empty()),
        parameters,
        form,
        disposition,
        rows_max: limit("row_limit", asked.row_limit)?,
        bytes_max: limit("byte_limit", asked.byte_limit)?,
        wait,
        cancel_if_slow,
    })
}

fn not_here(detail: &str) -> Fault {
    Fault::new(StatusCode::NOT_IMPLEMENTED, "not-implemented", detail)
}

/// Reads `0s`, or `5s` to `50s`.
fn wait_of(text: &str) -> Result<Duration, Fault> {
    let seconds = text.strip_suffix('s').and_then(|number| number.parse::<u64>().ok());
    match seconds {
        Some(seconds) if seconds == 0 || (5..=50).contains(&seconds) => Ok(Duration::from_secs(seconds)),
        _ => Err(Fault::invalid(
            "wait_timeout",
            "parameter-invalid",
            format!("\"wait_timeout\" is \"0s\" or \"5s\" to \"50s\", not \"{text}\""),
        )),
    }
}

async fn shown(app: &App, view: &StatementView, chunk: Option<usize>) -> Result<Response, Fault> {
    let mut status = json!({ "state": view.state.as_str() });
    if let Some((code, message, sql_state)) = &view.error {
        status["error"] = json!({ "error_code": code, "message": message });
        if let Some(sql_state) = sql_state {
            status["sql_state"] = json!(sql_state);
        }
    }
    let mut parts = vec![field("statement_id", &json!(view.id)), field("status", &status)];
    if let Some(manifest) = manifest_of(view) {
        parts.push(field("manifest", &manifest));
    }
    if view.state == StatementState::Succeeded
        && let Some(chunk) = chunk
    {
        let result = result_of(app, view, chunk).await?;
        parts.push(format!("\"result\":{}", result.get()));
    }
    Ok(json_text(format!("{{{}}}", parts.join(","))))
}

fn field(name: &str, value: &Value) -> String {
    format!("\"{name}\":{value}")
}

fn raw(value: &RawValue) -> Response {
    json_text(value.get().to_owned())
}

fn json_text(text: String) -> Response {
    ([(CONTENT_TYPE, "application/json")], text).into_response()
}

fn form_word(form: Form) -> &'static str {
    match form {
        Form::JsonArray => "JSON_ARRAY",
        Form::Csv => "CSV",
        Form::ArrowStream => "ARROW_STREAM",
    }
}

fn manifest_of(view: &StatementView) -> Option<Value> {
    let manifest = view.manifest.as_ref()?;
    let columns = manifest.columns.iter().enumerate().map(|(position, column)| {
        let mut shown = Map::new();
        shown.insert("name".into(), json!(column.name));
        shown.insert("position".into(), json!(position));
        shown.insert("type_name".into(), json!(column.type_name));
        shown.insert("type_text".into(), json!(column.type_text));
        if let Some(precision) = column.precision {
            shown.insert("type_precision".into(), json!(precision));
        }
        if let Some(scale) = column.scale {
            shown.insert("type_scale".into(), json!(scale));
        }
        Value::Object(shown)
    });
    let columns: Vec<Value> = columns.collect();
    let mut offset = 0;
    let chunks = manifest.chunks.iter().enumerate().map(|(index, chunk)| {
        let shown = json!({
            "chunk_index": index,
            "row_offset": offset,
            "row_count": chunk.rows,
            "byte_count": chunk.bytes,
        });
        offset += chunk.rows;
        shown
    });
    let mut chunks: Vec<Value> = chunks.collect();
    let bytes: u64 = manifest.chunks.iter().map(|chunk| chunk.bytes).sum();
    if chunks.is_empty() {
        // No rows are a chunk without rows, as clients expect.
        chunks.push(json!({ "chunk_index": 0, "row_offset": 0, "row_count": 0, "byte_count": 0 }));
    }
    Some(json!({
        "format": form_word(view.form),
        "schema": { "column_count": columns.len(), "columns": columns },
        "total_chunk_count": chunks.len(),
        "chunks": chunks,
        "total_row_count": manifest.rows(),
        "total_byte_count": bytes,
        "truncated": manifest.truncated,
    }))
}

/// Returns a chunk: its rows, or the link to them.
async fn result_of(app: &App, view: &StatementView, chunk: usize) -> Result<Box<RawValue>, Fault> {
    let no_rows = view.manifest.as_ref().is_none_or(|manifest| manifest.chunks.is_empty());
    let text = if view.state == StatementState::Succeeded && no_rows && chunk == 0 {
        match view.disposition {
            Disposition::Inline => r#"{"chunk_index":0,"row_offset":0,"row_count":0,"data_array":[]}"#.to_owned(),
            Disposition::ExternalLinks => r#"{"external_links":[]}"#.to_owned(),
        }
    } else {
        let mut head = Map::new();
        let bytes = match view.disposition {
            Disposition::Inline => Some(app.workspace.statement_chunk(view, chunk).await?),
            Disposition::ExternalLinks => {
                let (link, until) = app.workspace.statement_link(view, chunk)?;
                head.insert("external_link".into(), json!(link));
                head.insert("expiration".into(), json!(until.to_string()));
                None
            }
        };
        let manifest = view.manifest.as_ref();
        let info = manifest.and_then(|manifest| manifest.chunks.get(chunk));
        head.insert("chunk_index".into(), json!(chunk));
        head.insert("row_offset".into(), json!(manifest.map_or(0, |manifest| manifest.offset(chunk))));
        head.insert("row_count".into(), json!(info.map_or(0, |info| info.rows)));
        head.insert("byte_count".into(), json!(info.map_or(0, |info| info.bytes)));
        if manifest.is_some_and(|manifest| chunk + 1 < manifest.chunks.len()) {
            let next = format!("/api/2.0/sql/statements/{}/result/chunks/{}", view.id, chunk + 1);
            head.insert("next_chunk_index".into(), json!(chunk + 1));
            head.insert("next_chunk_internal_link".into(), json!(next));
        }
        let head = Value::Object(head).to_string();
        match bytes {
            Some(bytes) => {
                let rows = String::from_utf8(bytes).unwrap_or_else(|_| "[]".into());
                format!("{},\"data_array\":{rows}}}", head.strip_suffix('}').unwrap_or(&head))
            }
            None => format!("{{\"external_links\":[{head}]}}"),
        }
    };
    RawValue::from_string(text).map_err(|error| {
        tracing::error!(statement.id = view.id, %error, "a chunk of a result is not JSON");
        Fault::not_found("resource-not-found", "the result cannot be read any more")
    })
}
