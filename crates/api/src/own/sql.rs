//! Questions in SQL: as JSON, page by page, or as a download; and those under
//! way.

use access::Permission;
use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use base::Timestamp;
use base::sql::{SqlAnswer, SqlForm, SqlRequest};
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::pools::Column;
use crate::app::App;
use crate::body;
use crate::caller::Caller;
use crate::fault::Fault;
use crate::rights;

/// Rows of an answer, if nothing is said.
const ROWS_USUAL: usize = 10_000;
/// Rows of an answer at most: they stand in memory as a whole.
const ROWS_MAX: usize = 100_000;
/// The media types of downloads.
const CSV: &str = "text/csv";
const ARROW: &str = "application/vnd.apache.arrow.stream";

/// A question in SQL, or the next page of one.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = SqlQuestion)]
pub(super) struct Question {
    query: Option<String>,
    /// Where the next page is, as the page before said.
    cursor: Option<String>,
    /// Wait until the pool has reached this commit.
    at_least: Option<u64>,
    /// Rows of the answer, or of the page, at most.
    #[serde(alias = "rowsMax")]
    limit: Option<usize>,
    /// Keep the rows behind the limit for further pages.
    #[serde(default)]
    pages: bool,
    /// What comes back; if nothing is said, what the header `Accept` asks for.
    format: Option<Format>,
}

#[derive(Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = SqlFormat)]
enum Format {
    Json,
    Csv,
    Arrow,
}

/// Columns and rows; a row maps column names to values.
#[derive(Serialize, ToSchema)]
#[schema(as = SqlAnswer)]
pub(super) struct Answer {
    columns: Vec<Column>,
    #[schema(value_type = Vec<Object>)]
    rows: Vec<Map<String, Value>>,
    /// There were more rows than the limit.
    truncated: bool,
    /// Where they are.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    next: Option<String>,
}

/// A statement that is under way.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = SqlRunning)]
pub(super) struct Running {
    id: String,
    query: String,
    asked_by: String,
    #[schema(value_type = String, format = DateTime)]
    since: Timestamp,
    between_pages: bool,
}

/// Answers a question in SQL.
pub(super) async fn ask(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(pool): Path<String>,
    headers: HeaderMap,
    body::Json(question): body::Json<Question>,
) -> Result<Response, Fault> {
    let pool = rights::pool(&app, &actor, &pool, Permission::UsePool).await?;
    let rows_max = question.limit.unwrap_or(ROWS_USUAL).min(ROWS_MAX);
    let (statement, pool) = match (question.query, question.cursor, pool.id.to_string()) {
        (Some(statement), None, pool) => (statement, pool),
        (None, Some(cursor), pool) => {
            if rows_max == 0 {
                return Err(Fault::invalid("limit", "constraint-broken", "a page has at least 1 row"));
            }
            return Ok(Json(Answer::from(app.sql.page(&pool, &cursor, rows_max).await?)).into_response());
        }
        _ => return Err(Fault::invalid("query", "constraint-broken", "either \"query\" or \"cursor\" is needed")),
    };
    let request = SqlRequest {
        pool,
        statement,
        rows_max,
        at_least: question.at_least,
        asked_by: actor.name.clone(),
        pages: question.pages && rows_max > 0,
    };
    let form = match question.format.unwrap_or_else(|| accepted(&headers)) {
        Format::Json => return Ok(Json(Answer::from(app.sql.run(request).await?)).into_response()),
        Format::Csv => SqlForm::Csv,
        Format::Arrow => SqlForm::Arrow,
    };
    let kind = match form {
        SqlForm::Csv => "text/csv; charset=utf-8",
        SqlForm::Arrow => ARROW,
    };
    let rows = app.sql.download(request, form).await?;
    Ok(([(CONTENT_TYPE, kind)], Body::from_stream(rows)).into_response())
}

fn accepted(headers: &HeaderMap) -> Format {
    let wanted = headers.get(ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let first = wanted.split(',').map(|kind| kind.split(';').next().unwrap_or_default().trim());
    for kind in first {
        match kind {
            CSV => return Format::Csv,
            ARROW => return Format::Arrow,
            "application/json" => return Format::Json,
            _ => {}
        }
    }
    Format::Json
}

/// Lists the statements of a pool that are under way.
pub(super) async fn running(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(pool): Path<String>,
) -> Result<Json<Vec<Running>>, Fault> {
    let pool = rights::pool(&app, &actor, &pool, Permission::UsePool).await?;
    let running = app.sql.running(&pool.id.to_string()).into_iter();
    let shown = running.map(|one| Running {
        id: one.id,
        query: one.statement,
        asked_by: one.asked_by,
        since: one.since,
        between_pages: one.between_pages,
    });
    Ok(Json(shown.collect()))
}

/// Stops a statement: one's own, or anyone's for whoever administers the pool.
pub(super) async fn cancel(
    State(app): State<App>,
    Caller(actor): Caller,
    Path((pool, id)): Path<(String, String)>,
) -> Result<StatusCode, Fault> {
    let known = rights::pool(&app, &actor, &pool, Permission::UsePool).await?.id.to_string();
    let is_own = app.sql.running(&known).iter().any(|one| one.id == id && one.asked_by == actor.name);
    if !is_own {
        rights::pool(&app, &actor, &pool, Permission::AdminPool).await?;
    }
    if !app.sql.cancel(&known, &id) {
        return Err(Fault::not_found("sql-unknown", format!("no statement \"{id}\" is under way in this pool")));
    }
    Ok(StatusCode::NO_CONTENT)
}

/// Returns rows as objects.
pub(super) fn row_objects(answer: SqlAnswer) -> Vec<Map<String, Value>> {
    Answer::from(answer).rows
}

impl From<SqlAnswer> for Answer {
    fn from(answer: SqlAnswer) -> Self {
        let SqlAnswer { columns, rows, truncated, next } = answer;
        let names: Vec<String> = columns.iter().map(|column| column.name.clone()).collect();
        let rows = rows.into_iter().map(|row| names.iter().cloned().zip(row).collect()).collect();
        let columns = columns.into_iter().map(|column| Column { name: column.name, column_type: column.kind });
        Answer { columns: columns.collect(), rows, truncated, next }
    }
}
