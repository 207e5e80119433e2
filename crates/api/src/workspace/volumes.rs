//! The Files API: files and folders of volumes, byte for byte.
//!
//! A volume belongs to a pool, and so do the rights on it: `use-pool` reads,
//! `data-push` writes.

use access::{Permission, Scope};
use axum::Json;
use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse, Response};
use base::{Actor, Timestamp};
use futures::StreamExt as _;
use http::header::{
    ACCEPT_RANGES, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, IF_UNMODIFIED_SINCE, LAST_MODIFIED, RANGE,
};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};
use tokio_util::io::ReaderStream;
use workspace::StoredEntry;

use super::problem;
use crate::app::App;
use crate::body::{self, Query};
use crate::caller::Caller;
use crate::fault::Fault;

/// Entries of a page of a folder at most.
const PAGE_MAX: usize = 1_000;
/// The one catalog.
pub(super) const CATALOG: &str = "loopwright";

/// How a file is put.
#[derive(Deserialize)]
pub(super) struct Put {
    overwrite: Option<String>,
    action: Option<String>,
}

/// Which part of a folder is asked for.
#[derive(Deserialize)]
pub(super) struct Part {
    page_size: Option<body::Whole>,
    page_token: Option<String>,
}

/// Stores a file.
pub(super) async fn put_file(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(path): Path<String>,
    Query(put): Query<Put>,
    request: Request,
) -> Result<StatusCode, Fault> {
    let path = volume(&path)?;
    if put.action.is_some() {
        // Newer clients ask for uploads in parts, and fall back on this word.
        return Err(problem::no_endpoint(request).await);
    }
    may(&app, &actor, &path, Permission::DataPush).await?;
    let overwrite = put.overwrite.as_deref().is_some_and(|word| word.eq_ignore_ascii_case("true"));
    if !overwrite && app.workspace.stored(&path).await.is_ok() {
        return Err(exists(&path));
    }
    take(&app, &actor, &path, overwrite, request).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Carries the body of a request to disk as it comes.
async fn take(app: &App, actor: &Actor, path: &str, overwrite: bool, request: Request) -> Result<(), Fault> {
    let mut upload = app.workspace.begin_upload(path).await?;
    let mut pieces = body::without_silence(request, body::SILENCE_MAX).into_body().into_data_stream();
    while let Some(piece) = pieces.next().await {
        let piece = piece.map_err(|error| body::broken_body(&error))?;
        upload.write(&piece).await?;
    }
    Ok(app.workspace.finish_upload(actor, upload, overwrite).await?)
}

/// Sends a file or a part of it; for HEAD only what it is.
pub(super) async fn get_file(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(path): Path<String>,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, Fault> {
    let path = volume(&path)?;
    may(&app, &actor, &path, Permission::UsePool).await?;
    let (entry, mut file) = app.workspace.open_stored(&path).await?;
    if let Some(since) = headers.get(IF_UNMODIFIED_SINCE).and_then(|value| value.to_str().ok())
        && let Some(since) = seconds_of(since)
        && entry.modified_at.as_millis().div_euclid(1_000) > since
    {
        let detail = format!("\"{path}\" was changed after {}", http_date(entry.modified_at));
        return Err(Fault::new(StatusCode::PRECONDITION_FAILED, "file-changed", detail));
    }
    let range = match headers.get(RANGE).and_then(|value| value.to_str().ok()) {
        None => None,
        Some(range) => match part_of(range, entry.bytes) {
            Ok(part) => part,
            Err(()) => {
                let detail = format!("the file has {} bytes: \"{range}\" is no part of it", entry.bytes);
                return Err(Fault::new(StatusCode::RANGE_NOT_SATISFIABLE, "range-outside", detail));
            }
        },
    };
    let (status, from, length) = match range {
        None => (StatusCode::OK, 0, entry.bytes),
        Some((from, to)) => (StatusCode::PARTIAL_CONTENT, from, to - from + 1),
    };
    let body = if method == Method::HEAD {
        Body::empty()
    } else {
        let unreadable = |error: std::io::Error| {
            tracing::error!(path, %error, "a file cannot be read");
            Fault::new(StatusCode::INTERNAL_SERVER_ERROR, "workspace-disk", "the file cannot be read")
        };
        file.seek(std::io::SeekFrom::Start(from)).await.map_err(unreadable)?;
        Body::from_stream(ReaderStream::with_capacity(file.take(length), 256 << 10))
    };
    let mut response = (status, body).into_response();
    let fields = response.headers_mut();
    fields.insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    fields.insert(CONTENT_LENGTH, length.into());
    fields.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    if let Ok(date) = HeaderValue::from_str(&http_date(entry.modified_at)) {
        fields.insert(LAST_MODIFIED, date);
    }
    if status == StatusCode::PARTIAL_CONTENT
        && let Ok(range) = HeaderValue::from_str(&format!("bytes {from}-{}/{}", from + length - 1, entry.bytes))
    {
        fields.insert(CONTENT_RANGE, range);
    }
    Ok(response)
}

/// Removes a file.
pub(super) async fn delete_file(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(path): Path<String>,
) -> Result<StatusCode, Fault> {
    let path = volume(&path)?;
    may(&app, &actor, &path, Permission::DataPush).await?;
    app.workspace.delete_stored_file(&actor, &path).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Makes a folder with those above it.
pub(super) async fn put_folder(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(path): Path<String>,
) -> Result<StatusCode, Fault> {
    let path = volume(&path)?;
    may(&app, &actor, &path, Permission::DataPush).await?;
    app.workspace.make_stored_folder(&actor, &path).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Tells whether a folder is there.
pub(super) async fn head_folder(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(path): Path<String>,
) -> Result<StatusCode, Fault> {
    let path = volume(&path)?;
    may(&app, &actor, &path, Permission::UsePool).await?;
    match app.workspace.stored(&path).await? {
        entry if entry.is_directory => Ok(StatusCode::OK),
        _ => Err(Fault::not_found("resource-not-found", format!("\"{path}\" is a file, not a folder"))),
    }
}

/// Lists a folder, page by page.
pub(super) async fn list_folder(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(path): Path<String>,
    Query(part): Query<Part>,
) -> Result<Json<Value>, Fault> {
    let path = volume(&path)?;
    may(&app, &actor, &path, Permission::UsePool).await?;
    let entries = app.workspace.list_stored(&path).await?;
    let page = part.page_size.map_or(PAGE_MAX, |size| size.clamped(1, PAGE_MAX));
    let after = part.page_token.filter(|token| !token.is_empty());
    let mut rest =
        entries.into_iter().filter(|entry| after.as_ref().is_none_or(|after| entry.name > *after)).peekable();
    let mut contents = Vec::new();
    let mut last = None;
    while contents.len() < page
        && let Some(entry) = rest.next()
    {
        last = Some(entry.name.clone());
        contents.push(shown(&entry));
    }
    let mut answer = json!({ "contents": contents });
    if rest.peek().is_some() {
        answer["next_page_token"] = json!(last);
    }
    Ok(Json(answer))
}

/// Removes an empty folder.
pub(super) async fn delete_folder(
    State(app): State<App>,
    Caller(actor): Caller,
    Path(path): Path<String>,
) -> Result<StatusCode, Fault> {
    let path = volume(&path)?;
    may(&app, &actor, &path, Permission::DataPush).await?;
    app.workspace.delete_stored_folder(&actor, &path, false).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn shown(entry: &StoredEntry) -> Value {
    let mut shown = json!({
        "path": entry.path,
        "name": entry.name,
        "is_directory": entry.is_directory,
        "last_modified": entry.modified_at.as_millis(),
    });
    if !entry.is_directory {
        shown["file_size"] = json!(entry.bytes);
    }
    shown
}

fn exists(path: &str) -> Fault {
    let detail = format!("there is already a file \"{path}\": say \"overwrite=true\" to replace it");
    Fault::new(StatusCode::CONFLICT, "resource-exists", detail)
}

/// Returns the path of a file of a volume.
fn volume(path: &str) -> Result<String, Fault> {
    let path = format!("/{}", path.trim_start_matches('/'));
    if !path.starts_with("/Volumes/") {
        let detail = format!("\"{path}\" is not a file of a volume: write /Volumes/loopwright/<pool>/<volume>/…");
        return Err(Fault::invalid("path", "parameter-invalid", detail));
    }
    Ok(path)
}

/// Asks for a right on the pool to which a volume belongs. Paths outside of
/// volumes (the root of DBFS) belong to everybody in the workspace.
pub(super) async fn may(app: &App, actor: &Actor, path: &str, right: Permission) -> Result<(), Fault> {
    let plain = path.strip_prefix("dbfs:").unwrap_or(path);
    let Some(inside) = plain.strip_prefix("/Volumes/") else { return Ok(()) };
    let mut parts = inside.split('/');
    let (catalog, schema) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    if !catalog.eq_ignore_ascii_case(CATALOG) {
        let detail = format!("there is no catalog \"{catalog}\": the one here is \"{CATALOG}\"");
        return Err(Fault::not_found("resource-not-found", detail));
    }
    pool_of(app, actor, schema, right).await.map(drop)
}

/// Finds the pool that is a schema, for somebody who has a right on it.
pub(super) async fn pool_of(app: &App, actor: &Actor, schema: &str, right: Permission) -> Result<pools::Pool, Fault> {
    let known = app.pools.list().await?.into_iter().find(|pool| pool.name.eq_ignore_ascii_case(schema));
    let scope = known.as_ref().map_or_else(|| schema.to_owned(), |pool| pool.id.to_string());
    app.access.require(actor, right, &Scope::Pool(scope)).await?;
    known.ok_or_else(|| {
        Fault::not_found("resource-not-found", format!("there is no schema \"{schema}\": a schema is a pool"))
    })
}

/// Reads `bytes=from-to`; nothing for what is no range of one part.
fn part_of(range: &str, bytes: u64) -> Result<Option<(u64, u64)>, ()> {
    let Some(range) = range.trim().strip_prefix("bytes=") else { return Ok(None) };
    let Some((from, to)) = range.split_once('-').filter(|_| !range.contains(',')) else { return Ok(None) };
    let last = bytes.checked_sub(1).ok_or(())?;
    match (from.trim(), to.trim()) {
        ("", "") => Ok(None),
        ("", tail) => {
            let tail: u64 = tail.parse().map_err(|_| ())?;
            if tail == 0 { Err(()) } else { Ok(Some((bytes.saturating_sub(tail), last))) }
        }
        (from, to) => {
            let from: u64 = from.parse().map_err(|_| ())?;
            let to: u64 = if to.is_empty() { last } else { to.parse().map_err(|_| ())? };
            if from > last || from > to { Err(()) } else { Ok(Some((from, to.min(last)))) }
        }
    }
}

const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Writes a time as HTTP does: `Sun, 06 Nov 1994 08:49:37 GMT`.
pub(super) fn http_date(at: Timestamp) -> String {
    let seconds = at.as_millis().div_euclid(1_000);
    let (days, of_day) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let (year, month, day) = date_of(days);
    format!(
        "{}, {day:02} {} {year} {:02}:{:02}:{:02} GMT",
        DAYS[(days + 3).rem_euclid(7) as usize],
        MONTHS[month as usize - 1],
        of_day / 3_600,
        of_day / 60 % 60,
        of_day % 60
    )
}

/// Reads what [`http_date`] writes, as seconds since 1970.
fn seconds_of(text: &str) -> Option<i64> {
    let rest = text.split_once(", ")?.1;
    let parts: Vec<&str> = rest.split(' ').collect();
    let [day, month, year, time, "GMT"] = parts[..] else { return None };
    let month = MONTHS.iter().position(|name| *name == month)? as i64 + 1;
    let days = days_of(year.parse().ok()?, month, day.parse().ok()?);
    let mut seconds = 0;
    for part in time.split(':') {
        seconds = seconds * 60 + part.parse::<i64>().ok()?;
    }
    Some(days * 86_400 + seconds)
}

/// Returns year, month and day of a day since 1970 (Howard Hinnant's way).
fn date_of(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

fn days_of(year: i64, month: i64, day: i64) -> i64 {
    let year = year - i64::from(month <= 2);
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let of_year = (153 * (if month > 2 { month - 3 } else { month + 9 }) + 2) / 5 + day - 1;
    let of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + of_year;
    era * 146_097 + of_era - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_written_and_read() {
        for (seconds, text) in [
            (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"),
            (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
            (951_827_696, "Tue, 29 Feb 2000 12:34:56 GMT"),
        ] {
            assert_eq!(http_date(Timestamp::from_millis(seconds * 1_000)), text);
            assert_eq!(seconds_of(text), Some(seconds));
        }
        assert_eq!(seconds_of("yesterday"), None);
    }

    #[test]
    fn ranges_are_parts_of_a_file() {
        for (range, bytes, expected) in [
            ("bytes=0-3", 10, Ok(Some((0, 3)))),
            ("bytes=4-", 10, Ok(Some((4, 9)))),
            ("bytes=-4", 10, Ok(Some((6, 9)))),
            ("bytes=4-99", 10, Ok(Some((4, 9)))),
            ("bytes=10-", 10, Err(())),
            ("bytes=0-1,3-4", 10, Ok(None)),
            ("lines=1", 10, Ok(None)),
            ("bytes=0-", 0, Err(())),
        ] {
            assert_eq!(part_of(range, bytes), expected, "{range}");
        }
    }
}
