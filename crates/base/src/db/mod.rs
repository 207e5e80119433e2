//! The control database: a thin waist under the SQL.
//!
//! Work on the database is a *named synchronous closure* over a [`Tx`]. The
//! closure holds plain SQL, one text for SQLite and PostgreSQL:
//!
//! ```ignore
//! db.write("events.pause", move |tx| tables::set_state(tx, id, State::Paused)).await?;
//! ```
//!
//! A write closure may run **twice**: the writer folds waiting closures into
//! one commit, and when one of them fails, the others are run again one by
//! one; PostgreSQL may ask for a repetition on a serialisation conflict. So a
//! closure is `Fn`, has no effect outside the transaction, takes at most about
//! 1,000 rows and 20 ms, and no `.await` can occur inside it. Effects happen
//! after the future has returned. A statement that fails is the end of its
//! transaction: a closure that goes on regardless is rolled back (so ask `ON
//! CONFLICT` first rather than `Constraint` afterwards).
//!
//! There are two files with a writer each, `control` and `flows`; [`Db`] bears
//! the file in its type, so that a closure cannot get lost in the other one.
//!
//! Rules for the SQL: `BIGINT` for microseconds, `TEXT` for JSON, `BYTEA`,
//! `DOUBLE PRECISION`, `BIGINT` 0/1 for booleans, `$1` placeholders, `ON
//! CONFLICT`, `RETURNING`.

mod migrate;
pub(crate) mod postgres;
mod sqlite;
mod tx;
mod value;
mod writer;

use std::marker::PhantomData;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::error::{Coded, Kind};

pub use migrate::Migration;
pub use tx::{Row, Tx};
pub use value::{FromValue, Value};

use writer::{Outcome, ReadJob, WriteJob};

/// Builds the arguments of a statement: `args![id, name, now]`.
#[macro_export]
macro_rules! args {
    () => { &[] };
    ($($value:expr),+ $(,)?) => { &[$($crate::db::Value::from($value)),+] };
}

/// Why the database did not do as told.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// A statement broke a constraint.
    #[error("the database refused it: {detail}")]
    Constraint {
        /// What the database said.
        detail: String,
    },
    /// A stored value has not the form that the code expects.
    #[error("column {column} of a stored row is not what was expected")]
    Shape {
        /// 0-based.
        column: usize,
    },
    /// No room is left on the disk; what was there is intact.
    #[error("the disk that holds the control database is full")]
    Full,
    /// Another process holds the database.
    #[error("the control database is in use by another process")]
    Locked,
    /// The statement took longer than a reader may.
    #[error("a read of the control database was stopped after {seconds} s")]
    TooSlow {
        /// The limit.
        seconds: u64,
    },
    /// The database cannot be reached or is going down.
    #[error("the control database is not available: {detail}")]
    Unavailable {
        /// What happened.
        detail: String,
    },
    /// The disk failed. The process must stop and recover; see [`Options::on_broken_disk`].
    #[error("the disk failed under the control database: {detail}")]
    BrokenDisk {
        /// What the operating system said.
        detail: String,
    },
    /// A statement is wrong, or the file is not ours.
    #[error("the control database failed: {detail}")]
    Failed {
        /// What the database said.
        detail: String,
    },
}

impl Coded for Error {
    fn kind(&self) -> Kind {
        match self {
            Error::Constraint { .. } => Kind::Conflict,
            Error::Full | Error::Locked | Error::TooSlow { .. } | Error::Unavailable { .. } => Kind::Unavailable,
            Error::Shape { .. } | Error::BrokenDisk { .. } | Error::Failed { .. } => Kind::Internal,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Error::Constraint { .. } => "database-constraint",
            Error::Shape { .. } => "database-shape",
            Error::Full => "disk-full",
            Error::Locked => "database-locked",
            Error::TooSlow { .. } => "database-slow",
            Error::Unavailable { .. } => "database-unavailable",
            Error::BrokenDisk { .. } => "disk-broken",
            Error::Failed { .. } => "database-failed",
        }
    }
}

/// Names a database file in a type.
pub trait File: Send + Sync + 'static {
    /// Name of the file without its ending, and of the schema in PostgreSQL.
    const NAME: &'static str;
}

/// The file of `access`, `pools`, `workspace`, `mining` and `events`.
pub enum Control {}

impl File for Control {
    const NAME: &'static str = "control";
}

/// The file of `flows`: runs, journal, timers, hook queues.
pub enum Flows {}

impl File for Flows {
    const NAME: &'static str = "flows";
}

/// How a database is opened.
#[derive(Clone)]
pub struct Options {
    /// Threads that serve reads.
    pub readers: usize,
    /// Closures folded into one commit at most.
    pub fold_max: usize,
    /// How long one read may take. A reader that lingers keeps SQLite's log from
    /// being folded back, and PostgreSQL from cleaning up.
    pub read_time_max: Duration,
    /// Called when the disk fails under a statement or a commit, from the
    /// thread that met it. The program ends itself here:
    /// a failed sync must never be retried, because the kernel may already
    /// have dropped the pages.
    pub on_broken_disk: Arc<dyn Fn(&Error) + Send + Sync>,
    /// Pages the file may have, to test a full disk; 0 for no limit.
    pub pages_max: u32,
    /// SQLite's name for the file system to use; nothing for the machine's own.
    pub vfs: Option<String>,
    /// Pages of SQLite's log after which it is folded back into the file; above
    /// four times as many the writer is held up for a moment. A page has 4 KiB.
    pub checkpoint_pages: u32,
    /// A call is answered before its caller is polled again, and the caller
    /// lets others go first once. With one thread that polls, the same seed
    /// then tells the same story; only simulations want that.
    pub in_step: bool,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            readers: 2,
            fold_max: 512,
            read_time_max: Duration::from_secs(5),
            on_broken_disk: Arc::new(|_| {}),
            pages_max: 0,
            vfs: None,
            checkpoint_pages: 4_096,
            in_step: false,
        }
    }
}

/// A handle on one database file. Cheap to clone.
pub struct Db<F: File> {
    inner: Arc<writer::Threads>,
    file: PhantomData<fn() -> F>,
}

impl<F: File> Clone for Db<F> {
    fn clone(&self) -> Self {
        Db { inner: self.inner.clone(), file: PhantomData }
    }
}

impl<F: File> Db<F> {
    /// Opens `folder/NAME.db`, makes it if need be, and brings its tables up
    /// to date.
    pub fn open_sqlite(folder: &Path, migrations: &[&[Migration]], options: Options) -> Result<Self, Error> {
        let path = folder.join(format!("{}.db", F::NAME));
        Ok(Db { inner: Arc::new(sqlite::open(&path, migrations, options)?), file: PhantomData })
    }

    /// Connects to PostgreSQL and brings the tables of schema NAME up to date.
    /// `url` is a libpq connection text or URL; the connection is not
    /// encrypted. The database should have been made with the collation "C",
    /// so that texts sort as they do in SQLite.
    pub fn open_postgres(url: &str, migrations: &[&[Migration]], options: Options) -> Result<Self, Error> {
        Self::open_postgres_at(&postgres::config(url)?, migrations, options)
    }

    pub(crate) fn open_postgres_at(
        config: &tokio_postgres::Config,
        migrations: &[&[Migration]],
        options: Options,
    ) -> Result<Self, Error> {
        Ok(Db { inner: Arc::new(postgres::open(config, F::NAME, migrations, &options)?), file: PhantomData })
    }

    /// Tells the names of writes from now on, each after its commit is durable:
    /// for whoever shows people what changes. A listener that is slow is told
    /// that it missed some.
    pub fn committed(&self) -> tokio::sync::broadcast::Receiver<&'static str> {
        self.inner.committed().subscribe()
    }

    /// Runs a closure in a transaction and returns after its commit is
    /// durable. `name` is for traces: `crate.verb`.
    pub async fn write<T, E>(
        &self,
        name: &'static str,
        work: impl Fn(&mut dyn Tx) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        let (job, answer) = WriteJob::new(name, self.inner.committed().clone(), work);
        self.inner.send_write(job)?;
        settle(self.inner.answer(answer).await)
    }

    /// The same as [`Db::write`] for threads that are not async.
    pub fn write_blocking<T, E>(
        &self,
        name: &'static str,
        work: impl Fn(&mut dyn Tx) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        let (job, answer) = WriteJob::new(name, self.inner.committed().clone(), work);
        self.inner.send_write(job)?;
        settle(answer.blocking_recv())
    }

    /// Runs a closure that only reads, on a snapshot of what is committed.
    pub async fn read<T, E>(
        &self,
        name: &'static str,
        work: impl FnOnce(&mut dyn Tx) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        let (job, answer) = ReadJob::new(name, work);
        self.inner.send_read(job)?;
        settle(self.inner.answer(answer).await)
    }

    /// The same as [`Db::read`] for threads that are not async.
    pub fn read_blocking<T, E>(
        &self,
        name: &'static str,
        work: impl FnOnce(&mut dyn Tx) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        let (job, answer) = ReadJob::new(name, work);
        self.inner.send_read(job)?;
        settle(answer.blocking_recv())
    }
}

fn settle<T, E: From<Error>, R>(answer: Result<Outcome<T, E>, R>) -> Result<T, E> {
    match answer {
        Ok(outcome) => outcome,
        Err(_) => Err(E::from(Error::Unavailable { detail: "it is shutting down".into() })),
    }
}

#[cfg(test)]
mod tests;
