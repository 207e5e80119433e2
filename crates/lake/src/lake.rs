//! The facade: all pools' rows behind the two ports.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use base::sql::{Sql, SqlAnswer, SqlError, SqlRequest};
use base::{BoxFuture, Clock};
use pools::{
    Change, Commit, CommitNumber, Committed, Piece, PoolId, PushJobId, Snapshot, TableInfo, Tables, TablesError,
};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::error::Error;

/// How the rows are kept.
#[derive(Clone, Debug)]
pub struct Options {
    /// A segment of the log is closed when it has grown beyond this.
    pub segment_bytes_max: u64,
    /// Changes that a slow consumer has not released are kept up to this.
    pub retained_bytes_max: u64,
    /// Pending rows of a small table, or of one without keys, rest after this.
    pub flush_after: Duration,
    /// Pending rows of any table rest after this at the latest.
    pub freshness: Duration,
    /// Pending rows rest when they are this big.
    pub flush_bytes: u64,
    /// Pending rows rest when they are this share of the rows at rest.
    pub flush_share: f64,
    /// A file at rest is closed when it has grown to this.
    pub file_bytes_max: u64,
    /// A statement may take this long.
    pub sql_time_max: Duration,
    /// A statement may hold this much memory.
    pub sql_bytes_max: usize,
}

impl Default for Options {
    fn default() -> Self {
        const MIB: u64 = 1024 * 1024;
        Options {
            segment_bytes_max: 16 * MIB,
            retained_bytes_max: 1024 * MIB,
            flush_after: Duration::from_secs(5),
            freshness: Duration::from_secs(15 * 60),
            flush_bytes: 256 * MIB,
            flush_share: 0.05,
            file_bytes_max: 64 * MIB,
            sql_time_max: Duration::from_secs(60),
            sql_bytes_max: 512 * MIB as usize,
        }
    }
}

/// The rows of all pools.
pub struct Lake {}

impl Lake {
    /// Opens a data folder, or makes it, and replays its log.
    pub fn open(_folder: &Path, _clock: Arc<dyn Clock>, _options: Options) -> Result<Lake, Error> {
        todo!()
    }

    /// Brings rows to rest until told to stop. What is still pending then
    /// stays in the log.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        stop.cancelled().await;
    }
}

impl Tables for Lake {
    fn stage(&self, _pool: PoolId, _job: PushJobId, _piece: Piece) -> BoxFuture<'_, Result<(), TablesError>> {
        todo!()
    }

    fn abandon(&self, _job: PushJobId) {
        todo!()
    }

    fn commit(&self, _commit: Commit) -> BoxFuture<'_, Result<Committed, TablesError>> {
        todo!()
    }

    fn outcome(&self, _pool: PoolId, _job: PushJobId) -> BoxFuture<'_, Result<Option<Committed>, TablesError>> {
        todo!()
    }

    fn list(&self, _pool: PoolId) -> BoxFuture<'_, Result<Vec<TableInfo>, TablesError>> {
        todo!()
    }

    fn table<'a>(&'a self, _pool: PoolId, _table: &'a str) -> BoxFuture<'a, Result<Option<TableInfo>, TablesError>> {
        todo!()
    }

    fn scan<'a>(
        &'a self,
        _pool: PoolId,
        _table: &'a str,
        _columns: Option<Vec<String>>,
    ) -> BoxFuture<'a, Result<Snapshot, TablesError>> {
        todo!()
    }

    fn changes(
        &self,
        _pool: PoolId,
        _after: CommitNumber,
        _limit: usize,
    ) -> BoxFuture<'_, Result<Vec<Change>, TablesError>> {
        todo!()
    }

    fn release(&self, _pool: PoolId, _consumer: &str, _through: CommitNumber) {
        todo!()
    }

    fn head(&self, _pool: PoolId) -> watch::Receiver<CommitNumber> {
        todo!()
    }

    fn flush<'a>(&'a self, _pool: PoolId, _table: &'a str) -> BoxFuture<'a, Result<u64, TablesError>> {
        todo!()
    }
}

impl Sql for Lake {
    fn run(&self, _request: SqlRequest) -> BoxFuture<'_, Result<SqlAnswer, SqlError>> {
        todo!()
    }
}
