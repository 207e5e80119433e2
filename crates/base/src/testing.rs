//! Doubles of the ports, for tests of every crate.
//!
//! A test hands in time, chance and replies; nothing here sleeps or opens a
//! socket, but for [`databases`], which gives a table test every engine that
//! is at hand.

use std::collections::VecDeque;

use parking_lot::Mutex;

use crate::BoxFuture;
use crate::db::{Db, File, Migration, Options};
use crate::http::{Http, HttpError, Request, Response, StatusCode};
use crate::mail::{Mail, MailError, Mailer};

/// Answers requests from a list, in order, and remembers what was asked.
#[derive(Default)]
pub struct ScriptedHttp {
    replies: Mutex<VecDeque<Result<Response, HttpError>>>,
    requests: Mutex<Vec<Request>>,
}

impl ScriptedHttp {
    /// Makes a port that answers with `replies`, one after the other.
    pub fn new(replies: impl IntoIterator<Item = Result<Response, HttpError>>) -> Self {
        ScriptedHttp { replies: Mutex::new(replies.into_iter().collect()), requests: Mutex::default() }
    }

    /// Adds a reply with this status and body.
    pub fn push(&self, status: u16, body: &str) {
        self.replies.lock().push_back(Ok(reply(status, body)));
    }

    /// Adds a failure.
    pub fn push_error(&self, error: HttpError) {
        self.replies.lock().push_back(Err(error));
    }

    /// Returns what was asked so far.
    pub fn requests(&self) -> Vec<Request> {
        self.requests.lock().clone()
    }
}

/// Makes an answer with a JSON content type.
pub fn reply(status: u16, body: &str) -> Response {
    let mut headers = crate::http::HeaderMap::new();
    headers.insert("content-type", crate::http::HeaderValue::from_static("application/json"));
    Response {
        status: StatusCode::from_u16(status).expect("tests use real status codes"),
        headers,
        body: bytes::Bytes::copy_from_slice(body.as_bytes()),
        truncated: false,
    }
}

impl Http for ScriptedHttp {
    fn send(&self, request: Request) -> BoxFuture<'_, Result<Response, HttpError>> {
        let target = request.url.clone();
        self.requests.lock().push(request);
        let next = self.replies.lock().pop_front();
        Box::pin(async move {
            next.unwrap_or_else(|| Err(HttpError::Connect { target, detail: "the script has no more replies".into() }))
        })
    }
}

/// Keeps mail instead of sending it.
#[derive(Default)]
pub struct MailBox(Mutex<Vec<Mail>>);

impl MailBox {
    /// Returns what was sent so far.
    pub fn mails(&self) -> Vec<Mail> {
        self.0.lock().clone()
    }
}

impl Mailer for MailBox {
    fn send(&self, mail: Mail) -> BoxFuture<'_, Result<(), MailError>> {
        self.0.lock().push(mail);
        Box::pin(async { Ok(()) })
    }
}

/// Runs a check against a new, empty database of every engine that is at hand.
/// Where it panics, the captured output names the engine.
pub fn on_every_engine<F: File>(migrations: &[&[Migration]], check: impl Fn(Db<F>)) {
    for (engine, _guard, db) in databases::<F>(migrations) {
        eprintln!("on {engine}");
        check(db);
    }
}

/// Keeps a database of [`databases`] alive, and removes it when dropped.
pub struct DatabaseGuard {
    _folder: tempfile::TempDir,
}

/// Makes a new, empty database on every engine that is at hand: the engine's
/// name for messages, a guard that removes the database, and the database.
///
/// ```ignore
/// for (engine, _guard, db) in testing::databases::<Control>(&[base::MIGRATIONS, MIGRATIONS]) {
///     …
/// }
/// ```
pub fn databases<F: File>(migrations: &[&[Migration]]) -> Vec<(&'static str, DatabaseGuard, Db<F>)> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let db = Db::open_sqlite(folder.path(), migrations, Options::default()).expect("a new database opens");
    vec![("SQLite", DatabaseGuard { _folder: folder }, db)]
}
