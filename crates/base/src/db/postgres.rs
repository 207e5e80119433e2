//! PostgreSQL under the waist.
//!
//! The same threads, the same folding and the same SQL text as for SQLite; a
//! *file* is a schema. One connection writes, in SERIALIZABLE transactions
//! that run again when the server asks for it; the others read snapshots, READ
//! ONLY and with a time limit. The writer's connection holds an advisory lock,
//! so that two servers cannot share a schema: there is one writer here too,
//! and what it has committed may be remembered in memory.
//!
//! A connection may be lost at any time. What certainly was not committed is
//! run again on a new connection; where the answer to COMMIT itself was lost
//! nobody can know, and the caller is told so.
//!
//! Each connection lives on its thread with a small runtime of its own, so
//! that closures stay synchronous and the callers' runtime is not held up.

mod values;

use std::collections::HashMap;
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Config, NoTls, Statement};

use super::migrate::{self, Migration};
use super::writer::{AnyRead, Session, Threads};
use super::{Error, Options, Row, Tx, Value};

/// Runs of one transaction before its callers are told to try later.
const RUNS_MAX: usize = 10;
/// Statements kept prepared per connection.
const STATEMENTS_MAX: usize = 512;
/// Statements under way at once in `execute_many`.
const PIPELINE_MAX: usize = 256;
/// Time for a connection to come about.
const CONNECT_TIME_MAX: Duration = Duration::from_secs(5);
/// Time for the lock of a server that has just died to come free.
const LOCK_TIME_MAX: Duration = Duration::from_secs(2);

/// Reads a connection text; it is not shown where it is wrong, because it may
/// hold a password.
pub(crate) fn config(url: &str) -> Result<Config, Error> {
    let mut config: Config = url.parse().map_err(|error: tokio_postgres::Error| Error::Failed {
        detail: format!("the connection text of PostgreSQL is not one: {}", chain(&error)),
    })?;
    if config.get_connect_timeout().is_none() {
        config.connect_timeout(CONNECT_TIME_MAX);
    }
    if config.get_application_name().is_none() {
        config.application_name("loopwright");
    }
    Ok(config)
}

pub(super) fn open(
    config: &Config,
    schema: &'static str,
    migrations: &[&[Migration]],
    options: &Options,
) -> Result<Threads, Error> {
    // On a thread of its own, because the caller may be inside a runtime,
    // where a second one can neither run nor be dropped.
    let opening = || {
        let mut writer = Connection::new(config, schema, Role::Writer)?;
        writer.migrate(migrations)?;
        let mut readers: Vec<Box<dyn Session>> = Vec::new();
        for _ in 0..options.readers.max(1) {
            readers.push(Box::new(Connection::new(config, schema, Role::Reader { patience: options.read_time_max })?));
        }
        Ok(Threads::start(Box::new(writer), readers, options))
    };
    on_own_thread(opening)
}

/// Runs something that makes runtimes where there may already be one.
pub(crate) fn on_own_thread<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| match scope.spawn(work).join() {
        Ok(value) => value,
        Err(panic) => std::panic::resume_unwind(panic),
    })
}

#[derive(Clone, Copy)]
enum Role {
    Writer,
    Reader { patience: Duration },
}

/// A connection that comes back when it was lost.
struct Connection {
    config: Config,
    schema: &'static str,
    role: Role,
    runtime: Runtime,
    /// None while it is lost.
    live: Option<Live>,
}

struct Live {
    client: Client,
    statements: HashMap<String, Statement>,
}

impl Connection {
    fn new(config: &Config, schema: &'static str, role: Role) -> Result<Self, Error> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| Error::Failed { detail: error.to_string() })?;
        let mut connection = Connection { config: config.clone(), schema, role, runtime, live: None };
        connection.connect()?;
        Ok(connection)
    }

    fn connect(&mut self) -> Result<(), Error> {
        let (client, connection) = self.runtime.block_on(self.config.connect(NoTls)).map_err(|error| {
            // Also a wrong password is something that an administrator mends
            // on the other side.
            Error::Unavailable { detail: chain(&error) }
        })?;
        // It ends with the client, or when the connection is lost; the next
        // statement tells.
        self.runtime.spawn(async move {
            if let Err(error) = connection.await {
                tracing::warn!(%error, "the connection to PostgreSQL was lost");
            }
        });
        let schema = self.schema;
        let settings = match self.role {
            Role::Writer => format!(
                "SET lock_timeout = {}; SELECT pg_advisory_lock(hashtext('loopwright'), hashtext('{schema}')); \
                 SET lock_timeout = 0; CREATE SCHEMA IF NOT EXISTS \"{schema}\"; SET search_path TO \"{schema}\"",
                LOCK_TIME_MAX.as_millis()
            ),
            Role::Reader { patience } => format!(
                "SET search_path TO \"{schema}\"; SET default_transaction_read_only = on; SET statement_timeout = {}",
                patience.as_millis()
            ),
        };
        self.runtime.block_on(client.batch_execute(&settings)).map_err(|error| match error.as_db_error() {
            Some(_) => self.error_of(&error),
            // The session was ended before it had begun.
            None => Error::Unavailable { detail: chain(&error) },
        })?;
        self.live = Some(Live { client, statements: HashMap::new() });
        Ok(())
    }

    fn migrate(&mut self, migrations: &[&[Migration]]) -> Result<(), Error> {
        self.warn_of_collation()?;
        self.batch(migrate::BOOKKEEPING)?;
        self.batch("BEGIN")?;
        let applied = migrate::apply(&mut PostgresTx::new(self), migrations, |tx, sql| tx.connection.batch(sql));
        match applied {
            Ok(()) => self.batch("COMMIT"),
            Err(error) => {
                self.batch("ROLLBACK")?;
                Err(error)
            }
        }
    }

    fn warn_of_collation(&mut self) -> Result<(), Error> {
        let row = PostgresTx::new(self)
            .query_one("SELECT datcollate::text FROM pg_catalog.pg_database WHERE datname = current_database()", &[])?;
        if let Some(collation) = row.map(|row| row.get::<String>(0)).transpose()?
            && !["C", "POSIX", "C.UTF-8", "C.utf8"].contains(&collation.as_str())
        {
            tracing::warn!(collation, "this PostgreSQL database sorts texts otherwise than by their letters' codes");
        }
        Ok(())
    }

    /// Runs statements without arguments; a lost connection is noted.
    fn batch(&mut self, sql: &str) -> Result<(), Error> {
        let Some(live) = &self.live else { return Err(lost()) };
        match self.runtime.block_on(live.client.batch_execute(sql)) {
            Ok(()) => Ok(()),
            Err(error) => Err(self.note(&error)),
        }
    }

    /// Begins on a live connection. A connection that died while nobody looked
    /// is only noticed now, so this tries twice.
    fn begin(&mut self, sql: &str) -> Result<(), Error> {
        if self.live.is_some() {
            match self.batch(sql) {
                Err(Error::Unavailable { .. }) if self.live.is_none() => {}
                other => return other,
            }
        }
        self.connect()?;
        self.batch(sql)
    }

    /// Ends a transaction that is not to count. The server does so by itself
    /// if it cannot be reached.
    fn roll_back(&mut self) {
        if self.live.is_some()
            && let Err(error) = self.batch("ROLLBACK")
        {
            tracing::warn!(%error, "a transaction could not be rolled back; its connection is given up");
            self.live = None;
        }
    }

    fn note(&mut self, error: &tokio_postgres::Error) -> Error {
        let closed = self.live.as_ref().is_none_or(|live| live.client.is_closed()) || error.is_closed();
        let told = error.as_db_error().is_some_and(|error| goes_away(error.code()));
        // An error without a code came from the wire: what was sent may have
        // arrived or not, and the connection is of no more use. A value that
        // does not fit its column is the exception: it never went out.
        let broke = error.as_db_error().is_none() && std::error::Error::source(error).is_some_and(is_from_the_wire);
        if closed || told || broke {
            self.live = None;
            return Error::Unavailable { detail: chain(error) };
        }
        self.error_of(error)
    }

    fn error_of(&self, error: &tokio_postgres::Error) -> Error {
        let detail = chain(error);
        let Some(code) = error.code() else { return Error::Failed { detail } };
        match code.code() {
            _ if goes_away(code) => Error::Unavailable { detail },
            // A text with a zero letter is the caller's, as a missing value is.
            "22021" => Error::Constraint { detail },
            "53100" => Error::Full,
            "53200" | "53300" | "58030" => Error::Unavailable { detail },
            "55P03" => Error::Locked,
            "57014" => match self.role {
                Role::Reader { patience } => Error::TooSlow { seconds: patience.as_secs() },
                Role::Writer => Error::Unavailable { detail },
            },
            code if code.starts_with("23") => Error::Constraint { detail },
            _ => Error::Failed { detail },
        }
    }
}

/// What one run of a transaction came to.
enum Run {
    Ended(Result<bool, Error>),
    /// It certainly was not committed and may run again.
    Again(Error),
}

impl Connection {
    fn run(&mut self, work: &mut dyn FnMut(&mut dyn Tx) -> bool) -> Run {
        if let Err(error) = self.begin("BEGIN ISOLATION LEVEL SERIALIZABLE") {
            return Run::Ended(Err(error));
        }
        let mut tx = PostgresTx::new(self);
        let keep = work(&mut tx);
        match tx.trouble.take() {
            Some(Trouble::Lost(error)) => return Run::Again(error),
            Some(Trouble::Conflict(error)) => {
                self.roll_back();
                return Run::Again(error);
            }
            None => {}
        }
        if !keep {
            self.roll_back();
            return Run::Ended(Ok(false));
        }
        let Some(live) = &self.live else { return Run::Again(lost()) };
        match self.runtime.block_on(live.client.batch_execute("COMMIT")) {
            Ok(()) => Run::Ended(Ok(true)),
            Err(error) if is_conflict(&error) => Run::Again(self.error_of(&error)),
            Err(error) => Run::Ended(Err(match self.note(&error) {
                Error::Unavailable { detail } => Error::Unavailable {
                    detail: format!("the connection was lost while it committed, with or without success: {detail}"),
                },
                error => error,
            })),
        }
    }
}

impl Session for Connection {
    fn write(&mut self, work: &mut dyn FnMut(&mut dyn Tx) -> bool) -> Result<bool, Error> {
        let mut last = lost();
        for _ in 0..RUNS_MAX {
            match self.run(work) {
                Run::Ended(result) => return result,
                Run::Again(error) => {
                    tracing::debug!(%error, "a transaction runs again");
                    last = error;
                }
            }
        }
        Err(Error::Unavailable { detail: format!("a transaction did not come through in {RUNS_MAX} runs: {last}") })
    }

    fn read(&mut self, job: &mut dyn AnyRead) -> Result<(), Error> {
        if let Err(error) = self.begin("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY") {
            job.run(Err(error));
            return Ok(());
        }
        let mut tx = PostgresTx::new(self);
        if let Role::Reader { patience } = tx.connection.role {
            tx.end = Some((Instant::now() + patience, patience));
        }
        job.run(Ok(&mut tx));
        self.roll_back();
        // The server looks after its disk by itself.
        Ok(())
    }
}

/// What happened to a transaction, however the closure took it.
enum Trouble {
    Conflict(Error),
    Lost(Error),
}

struct PostgresTx<'a> {
    connection: &'a mut Connection,
    /// When a read must end, and how long it was given.
    end: Option<(Instant, Duration)>,
    trouble: Option<Trouble>,
}

impl<'a> PostgresTx<'a> {
    fn new(connection: &'a mut Connection) -> Self {
        PostgresTx { connection, end: None, trouble: None }
    }

    /// Runs one call on the client with its statement prepared.
    fn call<T>(
        &mut self,
        sql: &str,
        call: impl AsyncFnOnce(&Client, &Statement) -> Result<T, tokio_postgres::Error>,
    ) -> Result<T, Error> {
        if let Some((end, patience)) = self.end
            && Instant::now() > end
        {
            return Err(Error::TooSlow { seconds: patience.as_secs() });
        }
        let Connection { runtime, live, .. } = &mut *self.connection;
        let Some(Live { client, statements }) = live else { return Err(lost()) };
        let called = runtime.block_on(async {
            if !statements.contains_key(sql) {
                if statements.len() >= STATEMENTS_MAX {
                    statements.clear();
                }
                statements.insert(sql.to_owned(), client.prepare(sql).await?);
            }
            call(client, &statements[sql]).await
        });
        called.map_err(|error| {
            let conflict = is_conflict(&error);
            let error = self.connection.note(&error);
            if self.connection.live.is_none() {
                self.trouble = Some(Trouble::Lost(error.clone()));
            } else if conflict {
                self.trouble = Some(Trouble::Conflict(error.clone()));
            }
            error
        })
    }
}

impl Tx for PostgresTx<'_> {
    fn execute(&mut self, sql: &str, args: &[Value]) -> Result<u64, Error> {
        self.call(sql, async |client, statement| client.execute(statement, &references(args)).await)
    }

    fn execute_many(&mut self, sql: &str, sets: &[Vec<Value>]) -> Result<u64, Error> {
        self.call(sql, async |client, statement| {
            let mut touched = 0;
            for sets in sets.chunks(PIPELINE_MAX) {
                // All of them travel before the first answer is awaited.
                let calls = sets.iter().map(|args| async { client.execute(statement, &references(args)).await });
                touched += futures::future::try_join_all(calls).await?.iter().sum::<u64>();
            }
            Ok(touched)
        })
    }

    fn query(&mut self, sql: &str, args: &[Value]) -> Result<Vec<Row>, Error> {
        let rows = self.call(sql, async |client, statement| client.query(statement, &references(args)).await)?;
        let mut answer = Vec::with_capacity(rows.len());
        for row in rows {
            let values = (0..row.len()).map(|column| row.try_get(column));
            let values = values.collect::<Result<_, _>>().map_err(|error| Error::Failed { detail: chain(&error) })?;
            answer.push(Row::new(values));
        }
        Ok(answer)
    }
}

fn references(args: &[Value]) -> Vec<&(dyn ToSql + Sync)> {
    args.iter().map(|value| value as &(dyn ToSql + Sync)).collect()
}

fn lost() -> Error {
    Error::Unavailable { detail: "the connection to PostgreSQL is lost".into() }
}

fn is_conflict(error: &tokio_postgres::Error) -> bool {
    error
        .code()
        .is_some_and(|code| *code == SqlState::T_R_SERIALIZATION_FAILURE || *code == SqlState::T_R_DEADLOCK_DETECTED)
}

/// Connection exceptions, and a server that shuts down, crashes or starts.
fn goes_away(code: &SqlState) -> bool {
    code.code().starts_with("08") || code.code().starts_with("57P0")
}

fn is_from_the_wire(source: &(dyn std::error::Error + 'static)) -> bool {
    source.is::<std::io::Error>()
}

/// The library says "db error" and keeps what the server said in its cause.
fn chain(error: &tokio_postgres::Error) -> String {
    match error.as_db_error() {
        Some(error) => match error.detail() {
            Some(detail) => format!("{} ({detail})", error.message()),
            None => error.message().to_owned(),
        },
        None => crate::error::chain(error).to_string(),
    }
}
