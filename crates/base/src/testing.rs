//! Doubles of the ports, for tests of every crate.
//!
//! A test hands in time, chance and replies; nothing here sleeps or opens a
//! socket, but for [`databases`], which gives a table test every engine that
//! is at hand.

use std::collections::VecDeque;
use std::sync::Once;

use parking_lot::Mutex;
use tokio_postgres::{Config, NoTls};

use crate::BoxFuture;
use crate::chance::{Chance, SystemChance};
use crate::db::{Db, File, Migration, Options, postgres};
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

/// The variable that names the PostgreSQL server for [`databases`].
pub const POSTGRES_VARIABLE: &str = "LOOPWRIGHT_TEST_POSTGRES";

/// Keeps a database of [`databases`] alive, and removes it when dropped.
pub struct DatabaseGuard {
    _folder: Option<tempfile::TempDir>,
    throw_away: Option<ThrowAway>,
}

impl DatabaseGuard {
    /// Ends all connections to the database, as a restart of its server would.
    /// Nothing happens where there is no server.
    pub fn cut_connections(&self) {
        if let Some(server) = &self.throw_away {
            server.cut_connections();
        }
    }

    /// Empties the tables of a file, so that one database serves many tests.
    /// Nothing happens where there is no server.
    pub fn clear<F: File>(&self) {
        let Some(server) = &self.throw_away else { return };
        let schema = F::NAME;
        let empty = format!(
            "DO $$ DECLARE name text; BEGIN
               FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = '{schema}' AND tablename <> 'migrations'
               LOOP EXECUTE format('TRUNCATE {schema}.%I', name); END LOOP;
             END $$"
        );
        run_on(&server.config, &empty).expect("the server empties tables");
    }
}

/// Makes a new, empty database on every engine that is at hand: the engine's
/// name for messages, a guard that removes the database, and the database.
/// SQLite is always there; PostgreSQL if the environment variable
/// `LOOPWRIGHT_TEST_POSTGRES` holds the connection URL of a server on which
/// databases may be made.
///
/// ```ignore
/// for (engine, _guard, db) in testing::databases::<Control>(&[base::MIGRATIONS, MIGRATIONS]) {
///     …
/// }
/// ```
pub fn databases<F: File>(migrations: &[&[Migration]]) -> Vec<(&'static str, DatabaseGuard, Db<F>)> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let db = Db::open_sqlite(folder.path(), migrations, Options::default()).expect("a new database opens");
    let guard = DatabaseGuard { _folder: Some(folder), throw_away: None };
    let mut databases = vec![("SQLite", guard, db)];
    if let Some(throw_away) = ThrowAway::make() {
        let db = Db::open_postgres_at(&throw_away.config, migrations, Options::default());
        let guard = DatabaseGuard { _folder: None, throw_away: Some(throw_away) };
        databases.push(("PostgreSQL", guard, db.expect("a new database opens")));
    }
    databases
}

/// A database on the PostgreSQL server of the tests, dropped with the value.
pub(crate) struct ThrowAway {
    name: String,
    server: Config,
    pub(crate) config: Config,
}

impl ThrowAway {
    /// Makes one; nothing, with a line that says why, if there is no server.
    pub(crate) fn make() -> Option<Self> {
        #[expect(clippy::disallowed_methods, reason = "tests have no configuration but this variable")]
        let Ok(url) = std::env::var(POSTGRES_VARIABLE) else {
            static SAID: Once = Once::new();
            SAID.call_once(|| eprintln!("PostgreSQL is not tried: {POSTGRES_VARIABLE} is not set"));
            return None;
        };
        let server = postgres::config(&url).expect("the variable holds a connection URL");
        let name = format!("loopwright_test_{:016x}", SystemChance.number());
        // Collation C, so that texts sort as in SQLite.
        let make = format!("CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C'");
        run_on(&server, &make).expect("the server makes databases");
        let mut config = server.clone();
        config.dbname(&name);
        Some(ThrowAway { name, server, config })
    }

    /// Ends all connections to the database, as a restart of the server would.
    pub(crate) fn cut_connections(&self) {
        let name = &self.name;
        let cut = format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'");
        run_on(&self.server, &cut).expect("the server cuts connections");
    }
}

impl Drop for ThrowAway {
    fn drop(&mut self) {
        let name = &self.name;
        if let Err(error) = run_on(&self.server, &format!("DROP DATABASE {name} WITH (FORCE)")) {
            eprintln!("the database \"{name}\" is left behind: {error}");
        }
    }
}

pub(crate) fn run_on(server: &Config, statement: &str) -> Result<(), tokio_postgres::Error> {
    postgres::on_own_thread(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let (client, connection) = server.connect(NoTls).await?;
            let connection = tokio::spawn(connection);
            client.batch_execute(statement).await?;
            drop(client);
            connection.await.expect("the connection does not panic")
        })
    })
}
