//! SQLite under the waist.
//!
//! WAL with `synchronous = FULL`: a commit that was answered survives the loss
//! of power. One connection writes; readers have their own and are stopped
//! after five seconds, because a reader that lingers keeps the log from being
//! folded back into the file. Checkpoints run on their own connection, so that
//! they never stand in a writer's way.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rusqlite::types::ValueRef;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::migrate::{self, Migration};
use super::writer::{AnyRead, Session, Threads};
use super::{Error, Options, Row, Tx, Value};

/// Seconds that one read may take.
const READ_SECONDS_MAX: u64 = 5;
/// Length of the log after which the checkpointer is woken.
const CHECKPOINT_BYTES: u64 = 16 << 20;

pub(super) fn open(path: &Path, migrations: &[&[Migration]], options: Options) -> Result<Threads, Error> {
    let writer = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE)?;
    writer
        .execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0;")
        .map_err(error_of)?;
    if options.pages_max > 0 {
        writer.pragma_update(None, "max_page_count", options.pages_max).map_err(error_of)?;
    }
    let mut session = Writer { connection: writer, checkpointer: Checkpointer::start(path)? };
    session.migrate(migrations)?;
    let mut readers: Vec<Box<dyn Session>> = Vec::new();
    for _ in 0..options.readers.max(1) {
        let connection = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        connection.pragma_update(None, "query_only", true).map_err(error_of)?;
        readers.push(Box::new(Reader { connection }));
    }
    Ok(Threads::start(Box::new(session), readers, &options))
}

fn connect(path: &Path, flags: OpenFlags) -> Result<Connection, Error> {
    let connection = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX).map_err(error_of)?;
    connection.busy_timeout(Duration::from_secs(5)).map_err(error_of)?;
    connection.set_prepared_statement_cache_capacity(256);
    connection
        .execute_batch("PRAGMA foreign_keys = ON; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -16384;")
        .map_err(error_of)?;
    Ok(connection)
}

struct Writer {
    connection: Connection,
    checkpointer: Checkpointer,
}

impl Writer {
    fn migrate(&mut self, migrations: &[&[Migration]]) -> Result<(), Error> {
        self.connection.execute_batch(migrate::BOOKKEEPING).map_err(error_of)?;
        self.connection.execute_batch("BEGIN IMMEDIATE").map_err(error_of)?;
        let applied = migrate::apply(&mut SqliteTx(&self.connection), migrations, |tx, sql| {
            tx.0.execute_batch(sql).map_err(error_of)
        });
        let end = if applied.is_ok() { "COMMIT" } else { "ROLLBACK" };
        self.connection.execute_batch(end).map_err(error_of)?;
        applied
    }
}

impl Session for Writer {
    fn write(&mut self, work: &mut dyn FnMut(&mut dyn Tx) -> bool) -> Result<bool, Error> {
        self.connection.execute_batch("BEGIN IMMEDIATE").map_err(error_of)?;
        let keep = work(&mut SqliteTx(&self.connection));
        if keep {
            match self.connection.execute_batch("COMMIT") {
                Ok(()) => {
                    self.checkpointer.nudge();
                    return Ok(true);
                }
                Err(error) => {
                    self.roll_back();
                    return Err(error_of(error));
                }
            }
        }
        self.roll_back();
        Ok(false)
    }

    fn read(&mut self, job: Box<dyn AnyRead>) {
        job.run(Ok(&mut SqliteTx(&self.connection)));
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
}

impl Session for Reader {
    fn write(&mut self, _work: &mut dyn FnMut(&mut dyn Tx) -> bool) -> Result<bool, Error> {
        Err(Error::Failed { detail: "a reader was asked to write".into() })
    }

    fn read(&mut self, job: Box<dyn AnyRead>) {
        let name = job.name();
        if let Err(error) = self.connection.execute_batch("BEGIN") {
            job.run(Err(error_of(error)));
            return;
        }
        let end = Instant::now() + Duration::from_secs(READ_SECONDS_MAX);
        let _ = self.connection.progress_handler(10_000, Some(move || Instant::now() > end));
        job.run(Ok(&mut SqliteTx(&self.connection)));
        let _ = self.connection.progress_handler(0, None::<fn() -> bool>);
        if Instant::now() > end {
            tracing::warn!(read = name, "a read of the control database took longer than it may");
        }
        if let Err(error) = self.connection.execute_batch("ROLLBACK") {
            tracing::warn!(%error, "a read transaction could not be ended");
        }
    }
}

/// Folds the write-ahead log back into the file, beside the writer.
struct Checkpointer {
    wake: std::sync::mpsc::SyncSender<()>,
    log: PathBuf,
    pending: Arc<AtomicBool>,
}

impl Checkpointer {
    fn start(path: &Path) -> Result<Self, Error> {
        let connection = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        let (wake, woken) = std::sync::mpsc::sync_channel::<()>(1);
        let pending = Arc::new(AtomicBool::new(false));
        let seen = pending.clone();
        std::thread::Builder::new()
            .name("db-checkpoint".into())
            .spawn(move || {
                while woken.recv().is_ok() {
                    seen.store(false, Ordering::SeqCst);
                    // Passive: it folds what no reader holds and waits for nobody.
                    if let Err(error) = connection.execute_batch("PRAGMA wal_checkpoint(PASSIVE)") {
                        tracing::warn!(%error, "a checkpoint of the control database failed");
                    }
                }
            })
            .expect("a thread can be started while the program starts");
        let mut log = path.as_os_str().to_owned();
        log.push("-wal");
        Ok(Checkpointer { wake, log: log.into(), pending })
    }

    fn nudge(&self) {
        let length = std::fs::metadata(&self.log).map_or(0, |log| log.len());
        if length > CHECKPOINT_BYTES && !self.pending.swap(true, Ordering::SeqCst) {
            let _ = self.wake.try_send(());
        }
    }
}

struct SqliteTx<'a>(&'a Connection);

impl Tx for SqliteTx<'_> {
    fn execute(&mut self, sql: &str, args: &[Value]) -> Result<u64, Error> {
        let mut statement = self.0.prepare_cached(&numbered(sql)).map_err(error_of)?;
        let touched = statement.execute(rusqlite::params_from_iter(args)).map_err(error_of)?;
        Ok(touched as u64)
    }

    fn execute_many(&mut self, sql: &str, sets: &[Vec<Value>]) -> Result<u64, Error> {
        let mut statement = self.0.prepare_cached(&numbered(sql)).map_err(error_of)?;
        let mut touched = 0;
        for args in sets {
            touched += statement.execute(rusqlite::params_from_iter(args)).map_err(error_of)? as u64;
        }
        Ok(touched)
    }

    fn query(&mut self, sql: &str, args: &[Value]) -> Result<Vec<Row>, Error> {
        let mut statement = self.0.prepare_cached(&numbered(sql)).map_err(error_of)?;
        let width = statement.column_count();
        let mut rows = statement.query(rusqlite::params_from_iter(args)).map_err(error_of)?;
        let mut answer = Vec::new();
        while let Some(row) = rows.next().map_err(error_of)? {
            let mut values = Vec::with_capacity(width);
            for column in 0..width {
                values.push(match row.get_ref(column).map_err(error_of)? {
                    ValueRef::Null => Value::Null,
                    ValueRef::Integer(number) => Value::Int(number),
                    ValueRef::Real(number) => Value::Real(number),
                    ValueRef::Text(text) => Value::Text(String::from_utf8_lossy(text).into_owned()),
                    ValueRef::Blob(bytes) => Value::Blob(bytes.to_vec()),
                });
            }
            answer.push(Row::new(values));
        }
        Ok(answer)
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
    let mut quoted = false;
    let mut out = String::with_capacity(sql.len());
    for letter in sql.chars() {
        if letter == '\'' {
            quoted = !quoted;
        }
        out.push(if letter == '$' && !quoted { '?' } else { letter });
    }
    out
}

fn error_of(error: rusqlite::Error) -> Error {
    let detail = error.to_string();
    match error.sqlite_error_code() {
        Some(ErrorCode::ConstraintViolation) => Error::Constraint { detail },
        Some(ErrorCode::DiskFull) => Error::Full,
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Error::Locked,
        Some(ErrorCode::OperationInterrupted) => Error::TooSlow { seconds: READ_SECONDS_MAX },
        Some(ErrorCode::SystemIoFailure) => Error::BrokenDisk { detail },
        _ => Error::Failed { detail },
    }
}
