//! SQLite under the waist.
//!
//! WAL with `synchronous = FULL`: a commit that was answered survives the loss
//! of power. One connection writes; readers have their own and are stopped
//! after five seconds, because a reader that lingers keeps the log from being
//! folded back into the file. Checkpoints run on their own connection, so that
//! they never stand in a writer's way.

use std::borrow::Cow;
use std::path::Path;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rusqlite::hooks::Wal;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::migrate::{self, Migration};
use super::writer::{AnyRead, Session, Threads};
use super::{Error, Options, Row, Tx, Value};

/// Steps of SQLite's machine between two looks at the time.
const PROGRESS_STEPS: i32 = 10_000;
/// The writer is held up for a moment when the log is so many times as long as
/// when the checkpointer is woken.
const RESTART_TIMES: i32 = 4;
/// Time that the checkpointer waits for readers while it holds the writer up.
const RESTART_WAIT: Duration = Duration::from_millis(50);

pub(super) fn open(path: &Path, migrations: &[&[Migration]], options: Options) -> Result<Threads, Error> {
    let mut writer = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE, &options)?;
    writer
        .execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0; \
             PRAGMA journal_size_limit = 67108864;",
        )
        .map_err(error_of)?;
    if options.pages_max > 0 {
        writer.pragma_update(None, "max_page_count", options.pages_max).map_err(error_of)?;
    }
    let checkpointer = Checkpointer::start(path, &mut writer, &options)?;
    let mut session = Writer { connection: writer, _checkpointer: checkpointer };
    session.migrate(migrations)?;
    let mut readers: Vec<Box<dyn Session>> = Vec::new();
    for _ in 0..options.readers.max(1) {
        let connection = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE, &options)?;
        connection.pragma_update(None, "query_only", true).map_err(error_of)?;
        readers.push(Box::new(Reader { connection, patience: options.read_time_max }));
    }
    Ok(Threads::start(Box::new(session), readers, &options))
}

fn connect(path: &Path, flags: OpenFlags, options: &Options) -> Result<Connection, Error> {
    let flags = flags | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = match &options.vfs {
        Some(vfs) => Connection::open_with_flags_and_vfs(path, flags, vfs.as_str()),
        None => Connection::open_with_flags(path, flags),
    };
    let connection = connection.map_err(error_of)?;
    connection.busy_timeout(Duration::from_secs(5)).map_err(error_of)?;
    connection.set_prepared_statement_cache_capacity(256);
    connection
        .execute_batch("PRAGMA foreign_keys = ON; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -16384;")
        .map_err(error_of)?;
    Ok(connection)
}

struct Writer {
    /// Closed before the checkpointer is waited for.
    connection: Connection,
    _checkpointer: Checkpointer,
}

impl Writer {
    fn migrate(&mut self, migrations: &[&[Migration]]) -> Result<(), Error> {
        self.connection.execute_batch(migrate::BOOKKEEPING).map_err(error_of)?;
        self.connection.execute_batch("BEGIN IMMEDIATE").map_err(error_of)?;
        let applied = migrate::apply(&mut SqliteTx::new(&self.connection), migrations, |tx, sql| {
            tx.connection.execute_batch(sql).map_err(error_of)
        });
        let end = if applied.is_ok() { "COMMIT" } else { "ROLLBACK" };
        self.connection.execute_batch(end).map_err(error_of)?;
        applied
    }
}

impl Session for Writer {
    fn write(&mut self, work: &mut dyn FnMut(&mut dyn Tx) -> bool) -> Result<bool, Error> {
        run_cached(&self.connection, "BEGIN IMMEDIATE")?;
        let mut tx = SqliteTx::new(&self.connection);
        let keep = work(&mut tx);
        if let Some(error) = tx.broken {
            self.roll_back();
            return Err(error);
        }
        if !keep {
            self.roll_back();
            return Ok(false);
        }
        match run_cached(&self.connection, "COMMIT") {
            Ok(()) => Ok(true),
            Err(error) => {
                self.roll_back();
                Err(error)
            }
        }
    }

    fn read(&mut self, job: &mut dyn AnyRead) -> Result<(), Error> {
        job.run(Ok(&mut SqliteTx::new(&self.connection)));
        Ok(())
    }
}

impl Writer {
    /// A full disk makes SQLite roll back by itself; then there is nothing left to end.
    fn roll_back(&self) {
        if !self.connection.is_autocommit()
            && let Err(error) = self.connection.execute_batch("ROLLBACK")
        {
            tracing::error!(%error, "a transaction could not be rolled back");
        }
    }
}

struct Reader {
    connection: Connection,
    patience: Duration,
}

impl Session for Reader {
    fn write(&mut self, _work: &mut dyn FnMut(&mut dyn Tx) -> bool) -> Result<bool, Error> {
        Err(Error::Failed { detail: "a reader was asked to write".into() })
    }

    fn read(&mut self, job: &mut dyn AnyRead) -> Result<(), Error> {
        let name = job.name();
        if let Err(error) = run_cached(&self.connection, "BEGIN") {
            job.run(Err(error));
            return Ok(());
        }
        let end = Instant::now() + self.patience;
        // The handler stops a long statement; the transaction itself refuses
        // to begin another one, because many short ones take long as well.
        let _ = self.connection.progress_handler(PROGRESS_STEPS, Some(move || Instant::now() > end));
        let mut tx = SqliteTx { end: Some((end, self.patience)), ..SqliteTx::new(&self.connection) };
        job.run(Ok(&mut tx));
        let broken = tx.broken;
        let _ = self.connection.progress_handler(0, None::<fn() -> bool>);
        if Instant::now() > end {
            tracing::warn!(read = name, "a read of the control database took longer than it may");
        }
        if let Err(error) = run_cached(&self.connection, "ROLLBACK") {
            tracing::warn!(%error, "a read transaction could not be ended");
        }
        broken.map_or(Ok(()), Err)
    }
}

/// Runs a statement without rows, which is parsed once.
fn run_cached(connection: &Connection, sql: &str) -> Result<(), Error> {
    connection.prepare_cached(sql).and_then(|mut statement| statement.execute([])).map_err(error_of)?;
    Ok(())
}

/// Folds the write-ahead log back into the file, beside the writer.
struct Checkpointer(Option<JoinHandle<()>>);

impl Checkpointer {
    /// Starts it and lets `writer` wake it after a commit that leaves a long
    /// log. (The length of the log's file would not tell: the file stays long
    /// when its beginning is used again.)
    fn start(path: &Path, writer: &mut Connection, options: &Options) -> Result<Self, Error> {
        let connection = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE, options)?;
        let on_broken_disk = options.on_broken_disk.clone();
        let pages_max = i32::try_from(options.checkpoint_pages).unwrap_or(i32::MAX);
        connection.busy_timeout(RESTART_WAIT).map_err(error_of)?;
        let (wake, woken) = std::sync::mpsc::sync_channel::<()>(1);
        let thread = std::thread::Builder::new().name("db-checkpoint".into()).spawn(move || {
            while woken.recv().is_ok() {
                if let Err(error) = checkpoint(&connection, pages_max.saturating_mul(RESTART_TIMES)) {
                    tracing::warn!(%error, "a checkpoint of the control database failed");
                    if let error @ Error::BrokenDisk { .. } = error_of(error) {
                        on_broken_disk(&error);
                    }
                }
            }
        });
        let thread = thread.expect("a thread can be started while the program starts");
        let hook = move |_: &mut Wal, pages: i32| {
            if pages > pages_max {
                // Where one is waiting already, that one will do.
                let _ = wake.try_send(());
            }
            Ok(())
        };
        writer.wal_hook(Some(hook)).map_err(error_of)?;
        Ok(Checkpointer(Some(thread)))
    }
}

fn checkpoint(connection: &Connection, restart_pages: i32) -> rusqlite::Result<()> {
    // Passive: it folds what no reader holds and waits for nobody.
    let pages: i32 = connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| row.get(1))?;
    if pages > restart_pages {
        // A writer that never rests is always a few pages ahead. Holding it up
        // for the length of those lets it begin the log anew.
        connection.query_row("PRAGMA wal_checkpoint(RESTART)", [], |_| Ok(()))?;
    }
    Ok(())
}

impl Drop for Checkpointer {
    /// Waits for the thread: it ends when the writer's connection, which holds
    /// the other end of the channel, is closed.
    fn drop(&mut self) {
        if let Some(thread) = self.0.take() {
            let _ = thread.join();
        }
    }
}

struct SqliteTx<'a> {
    connection: &'a Connection,
    /// When a read must end, and how long it was given.
    end: Option<(Instant, Duration)>,
    /// The first failure of the disk; it counts however the closure took it.
    broken: Option<Error>,
}

impl<'a> SqliteTx<'a> {
    fn new(connection: &'a Connection) -> Self {
        SqliteTx { connection, end: None, broken: None }
    }

    fn note<T>(&mut self, result: rusqlite::Result<T>) -> Result<T, Error> {
        result.map_err(|error| {
            let error = match (error_of(error), self.end) {
                (Error::TooSlow { .. }, Some((_, patience))) => Error::TooSlow { seconds: patience.as_secs() },
                (error, _) => error,
            };
            if matches!(error, Error::BrokenDisk { .. }) {
                self.broken.get_or_insert_with(|| error.clone());
            }
            error
        })
    }

    fn check_time(&self) -> Result<(), Error> {
        match self.end {
            Some((end, patience)) if Instant::now() > end => Err(Error::TooSlow { seconds: patience.as_secs() }),
            _ => Ok(()),
        }
    }
}

impl Tx for SqliteTx<'_> {
    fn execute(&mut self, sql: &str, args: &[Value]) -> Result<u64, Error> {
        self.check_time()?;
        let touched = self.connection.prepare_cached(&numbered(sql)).and_then(|mut statement| {
            // `execute` refuses rows; a statement may have RETURNING and a
            // caller who does not care for it.
            if statement.column_count() == 0 {
                return statement.execute(rusqlite::params_from_iter(args)).map(|touched| touched as u64);
            }
            let mut rows = statement.query(rusqlite::params_from_iter(args))?;
            let mut touched = 0;
            while rows.next()?.is_some() {
                touched += 1;
            }
            Ok(touched)
        });
        self.note(touched)
    }

    fn execute_many(&mut self, sql: &str, sets: &[Vec<Value>]) -> Result<u64, Error> {
        self.check_time()?;
        let touched = self.connection.prepare_cached(&numbered(sql)).and_then(|mut statement| {
            let mut touched = 0;
            for args in sets {
                touched += statement.execute(rusqlite::params_from_iter(args))? as u64;
            }
            Ok(touched)
        });
        self.note(touched)
    }

    fn query(&mut self, sql: &str, args: &[Value]) -> Result<Vec<Row>, Error> {
        self.check_time()?;
        let rows = self.connection.prepare_cached(&numbered(sql)).and_then(|mut statement| {
            let width = statement.column_count();
            let mut rows = statement.query(rusqlite::params_from_iter(args))?;
            let mut answer = Vec::new();
            while let Some(row) = rows.next()? {
                let values = (0..width).map(|column| Ok(value_of(row.get_ref(column)?)));
                answer.push(Row::new(values.collect::<rusqlite::Result<_>>()?));
            }
            Ok(answer)
        });
        self.note(rows)
    }
}

fn value_of(value: ValueRef<'_>) -> Value {
    match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) => Value::Int(number),
        ValueRef::Real(number) => Value::Real(number),
        ValueRef::Text(text) => Value::Text(String::from_utf8_lossy(text).into_owned()),
        ValueRef::Blob(bytes) => Value::Blob(bytes.to_vec()),
    }
}

impl rusqlite::ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<rusqlite::types::ToSqlOutput<'_>> {
        use rusqlite::types::ToSqlOutput;
        Ok(ToSqlOutput::Borrowed(match self {
            Value::Null => ValueRef::Null,
            Value::Int(number) => ValueRef::Integer(*number),
            Value::Real(number) => ValueRef::Real(*number),
            Value::Text(text) => ValueRef::Text(text.as_bytes()),
            Value::Blob(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

/// Turns `$1` into `?1`: SQLite would number `$2, $1` by order of appearance.
fn numbered(sql: &str) -> String {
    // Every second part of a text that is cut at its quotes is quoted.
    let parts = sql.split('\'').enumerate();
    let parts = parts.map(|(place, part)| if place % 2 == 0 { part.replace('$', "?").into() } else { Cow::from(part) });
    parts.collect::<Vec<_>>().join("'")
}

fn error_of(error: rusqlite::Error) -> Error {
    let detail = error.to_string();
    match error.sqlite_error_code() {
        Some(ErrorCode::ConstraintViolation) => Error::Constraint { detail },
        Some(ErrorCode::DiskFull) => Error::Full,
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Error::Locked,
        Some(ErrorCode::OperationInterrupted) => Error::TooSlow { seconds: 0 },
        // A malformed file is what a disk that lies leaves behind.
        Some(ErrorCode::SystemIoFailure | ErrorCode::DatabaseCorrupt) => Error::BrokenDisk { detail },
        _ => Error::Failed { detail },
    }
}
