//! `/tasks/{token}`: the page at which anybody who has the link answers a task.
//!
//! The token in the address is the right, and nothing else is asked; so the
//! page tells nobody where it is, loads nothing, and is kept nowhere. Looking
//! at it changes nothing, because mail programs look at links by themselves.

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Router};
use base::{Clock, Secret, Timestamp};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flows::{Answerer, TaskDecision, TaskInfo, TaskState};
use http::StatusCode;
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_FRAME_OPTIONS};
use percent_encoding::percent_decode_str;
use sha2::{Digest as _, Sha256};
use std::sync::{Arc, LazyLock};

use crate::app::App;
use crate::{body, fault};

/// Bytes of an answer: a comment and a name.
const ANSWER_BYTES_MAX: usize = 64 << 10;
/// Times in the zone of whoever reads, and in UTC where the pointer rests.
const SCRIPT: &str = "for(const t of document.querySelectorAll('time')){t.title=t.textContent;t.textContent=\
new Date(t.dateTime).toLocaleString([],{dateStyle:'medium',timeStyle:'short'})}";
/// Nothing is loaded, nothing runs but that script, and the form goes nowhere else.
static POLICY: LazyLock<String> = LazyLock::new(|| {
    let hash = STANDARD.encode(Sha256::digest(SCRIPT));
    format!(
        "default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{hash}'; form-action 'self'; \
         frame-ancestors 'none'; base-uri 'none'"
    )
});
const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:40rem;margin:3rem auto;padding:0 1rem;color:#1c1c1c}\
h1{font-size:1.4rem}p{white-space:pre-wrap}dl{display:grid;grid-template-columns:max-content 1fr;gap:.25rem 1rem}\
dt{color:#666}dd{margin:0}label{display:block;margin:1rem 0 .25rem}input,textarea{font:inherit;width:100%;\
box-sizing:border-box;padding:.5rem;border:1px solid #999;border-radius:4px}button{font:inherit;padding:.5rem 1.5rem;\
margin:1rem .5rem 0 0;border-radius:4px;border:1px solid #444;background:#fff;cursor:pointer}\
button.yes{background:#1a6b3c;border-color:#1a6b3c;color:#fff}small{color:#666}\
@media(prefers-color-scheme:dark){body{background:#161616;color:#eee}button{background:#222;color:#eee}\
button.yes{background:#1a6b3c}input,textarea{background:#222;color:#eee}small,dt{color:#aaa}}";

/// Returns the routes of the page.
pub(crate) fn routes(app: &App) -> Router<App> {
    let clock: Arc<dyn Clock> = app.clock.clone();
    Router::new()
        .route("/tasks/{token}", get(show).post(answer))
        .layer(body::at_most(ANSWER_BYTES_MAX))
        .layer(Extension(clock))
}

/// Returns a field of what the form sends.
fn field(form: &str, name: &str) -> String {
    let pairs = form.split('&').filter_map(|pair| pair.split_once('='));
    let found = pairs.filter(|(key, _)| *key == name).map(|(_, value)| value).next().unwrap_or_default();
    percent_decode_str(&found.replace('+', " ")).decode_utf8_lossy().into_owned()
}

async fn show(
    State(app): State<App>,
    Extension(clock): Extension<Arc<dyn Clock>>,
    Path(token): Path<String>,
) -> Response {
    match app.flows.task_at(&token).await {
        Ok(task) => {
            let is_late = task.deadline.is_some_and(|deadline| deadline <= clock.now());
            let is_open = task.state == TaskState::Open && !is_late;
            let below = if is_open { form(&task) } else { format!("<p><b>{}</b></p>", escaped(&closed(&task))) };
            page(StatusCode::OK, &task.title, &format!("{}{below}", described(&task)))
        }
        Err(error) => refused(&error),
    }
}

async fn answer(State(app): State<App>, Path(token): Path<String>, body::Text(form): body::Text) -> Response {
    let decision = match field(&form, "decision").as_str() {
        "approve" => TaskDecision::Approved,
        "reject" => TaskDecision::Rejected,
        _ => return page(StatusCode::BAD_REQUEST, "Nothing was decided", "<p>Choose Approve or Reject.</p>"),
    };
    let by = Answerer::Link { token: Secret::new(token), name: field(&form, "name") };
    match app.flows.answer_task(None, by, decision, &field(&form, "comment")).await {
        Ok(task) => {
            let thanks = format!("<p><b>{}</b> Thank you; you can close this page.</p>", escaped(&closed(&task)));
            page(StatusCode::OK, &task.title, &thanks)
        }
        Err(error) => refused(&error),
    }
}

fn refused(error: &flows::Error) -> Response {
    use base::{Coded, Kind};

    let (status, title) = match error.kind() {
        Kind::NotFound => (StatusCode::NOT_FOUND, "There is nothing here"),
        Kind::Conflict => (StatusCode::CONFLICT, "This is answered already"),
        _ => {
            tracing::error!(error = %base::error::chain(error), "the page of a task fails");
            let again = "<p>Please try again in a moment.</p>";
            return page(StatusCode::SERVICE_UNAVAILABLE, "This does not work now", again);
        }
    };
    page(status, title, &format!("<p>{}</p>", escaped(&error.to_string())))
}

fn described(task: &TaskInfo) -> String {
    let mut html = String::new();
    if !task.text.is_empty() {
        html.push_str(&format!("<p>{}</p>", escaped(&task.text)));
    }
    if !task.fields.is_empty() {
        let line =
            |field: &flows::TaskField| format!("<dt>{}</dt><dd>{}</dd>", escaped(&field.name), escaped(&field.value));
        html.push_str(&format!("<dl>{}</dl>", task.fields.iter().map(line).collect::<String>()));
    }
    let mut facts = vec![format!("asked by the flow {} on {}", escaped(&task.flow), time(task.created_at))];
    if !task.assignee.is_empty() {
        facts.push(format!("for {}", escaped(&task.assignee)));
    }
    facts.extend(task.deadline.map(|deadline| format!("until {}", time(deadline))));
    html.push_str(&format!("<small>{}</small>", facts.join(", ")));
    html
}

/// Writes a time to the minute, in UTC until the script has read it.
fn time(at: Timestamp) -> String {
    let at = at.to_string();
    let shown = at.get(..16).unwrap_or(&at).replace('T', " ");
    format!("<time datetime=\"{at}\">{shown} UTC</time>")
}

fn form(task: &TaskInfo) -> String {
    let name = escaped(&task.assignee);
    format!(
        "<form method=\"post\"><label for=\"comment\">Comment</label>\
         <textarea id=\"comment\" name=\"comment\" rows=\"4\"></textarea>\
         <label for=\"name\">Your name</label><input id=\"name\" name=\"name\" value=\"{name}\" autocomplete=\"name\">\
         <button class=\"yes\" name=\"decision\" value=\"approve\">Approve</button>\
         <button name=\"decision\" value=\"reject\">Reject</button></form>"
    )
}

fn closed(task: &TaskInfo) -> String {
    match (task.state, task.decision) {
        (TaskState::Answered, Some(TaskDecision::Expired)) => "Nobody answered in time.".to_owned(),
        (TaskState::Answered, Some(decision)) => {
            let word = if decision == TaskDecision::Approved { "approved" } else { "rejected" };
            match task.answered_by.as_deref() {
                // Whoever answered gave no name.
                None | Some("link") => format!("This was {word}."),
                Some(name) => format!("This was {word} by {name}."),
            }
        }
        (TaskState::Withdrawn, _) => "This was withdrawn: its run has ended.".to_owned(),
        _ => "The time to answer is over.".to_owned(),
    }
}

fn page(status: StatusCode, title: &str, body: &str) -> Response {
    let title = escaped(title);
    let html = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\
         <meta name=\"robots\" content=\"noindex\"><title>{title}</title><style>{STYLE}</style></head>\
         <body><h1>{title}</h1>{body}<script>{SCRIPT}</script></body></html>"
    );
    let headers = [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (CONTENT_SECURITY_POLICY, POLICY.as_str()),
        (REFERRER_POLICY, "no-referrer"),
        (X_FRAME_OPTIONS, "DENY"),
        (CACHE_CONTROL, "no-store"),
    ];
    fault::spoken((status, headers, html).into_response())
}

fn escaped(text: &str) -> String {
    let mut html = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            other => html.push(other),
        }
    }
    html
}
