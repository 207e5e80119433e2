//! Tables in memory that tell who keeps a place at them, and can be made to
//! fail.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use base::BoxFuture;
use parking_lot::Mutex;
use pools::memory::MemTables;
use pools::{
    Change, Commit, CommitNumber, Committed, Piece, PoolId, PushJobId, Snapshot, TableInfo, Tables, TablesError,
};
use tokio::sync::watch;

#[derive(Default)]
pub(super) struct TestTables {
    rows: MemTables,
    consumers: Mutex<BTreeMap<String, CommitNumber>>,
    /// Told at each release.
    pub(super) released: tokio::sync::Notify,
    /// Reads of changes so far.
    pub(super) reads: AtomicU64,
    /// Whether reads of changes fail.
    pub(super) broken: std::sync::atomic::AtomicBool,
}

impl TestTables {
    /// Forgets the past of a pool up to a number.
    pub(super) fn forget(&self, pool: PoolId, through: CommitNumber) {
        self.rows.forget(pool, through);
    }

    /// Lists who keeps a place, and up to where it has read.
    pub(super) fn consumers(&self) -> Vec<CommitNumber> {
        self.consumers.lock().values().copied().collect()
    }

    /// Waits until the consumers are so far.
    pub(super) async fn consumers_are(&self, expected: &[CommitNumber]) {
        while self.consumers() != expected {
            self.released.notified().await;
        }
    }
}

impl Tables for TestTables {
    fn stage(&self, pool: PoolId, job: PushJobId, piece: Piece) -> BoxFuture<'_, Result<(), TablesError>> {
        self.rows.stage(pool, job, piece)
    }

    fn abandon(&self, job: PushJobId) {
        self.rows.abandon(job);
    }

    fn commit(&self, commit: Commit) -> BoxFuture<'_, Result<Committed, TablesError>> {
        self.rows.commit(commit)
    }

    fn outcome(&self, pool: PoolId, job: PushJobId) -> BoxFuture<'_, Result<Option<Committed>, TablesError>> {
        self.rows.outcome(pool, job)
    }

    fn list(&self, pool: PoolId) -> BoxFuture<'_, Result<Vec<TableInfo>, TablesError>> {
        self.rows.list(pool)
    }

    fn table<'a>(&'a self, pool: PoolId, table: &'a str) -> BoxFuture<'a, Result<Option<TableInfo>, TablesError>> {
        self.rows.table(pool, table)
    }

    fn scan_at<'a>(
        &'a self,
        pool: PoolId,
        table: &'a str,
        number: CommitNumber,
    ) -> BoxFuture<'a, Result<Snapshot, TablesError>> {
        self.rows.scan_at(pool, table, number)
    }

    fn scan<'a>(
        &'a self,
        pool: PoolId,
        table: &'a str,
        columns: Option<Vec<String>>,
    ) -> BoxFuture<'a, Result<Snapshot, TablesError>> {
        self.rows.scan(pool, table, columns)
    }

    fn changes(
        &self,
        pool: PoolId,
        after: CommitNumber,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<Change>, TablesError>> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        if self.broken.load(Ordering::SeqCst) {
            return Box::pin(async { Err(TablesError::BrokenDisk { detail: "a scratch".into() }) });
        }
        self.rows.changes(pool, after, limit)
    }

    fn release(&self, _pool: PoolId, consumer: &str, through: CommitNumber) {
        let mut consumers = self.consumers.lock();
        if through == CommitNumber::MAX {
            consumers.remove(consumer);
        } else {
            consumers.insert(consumer.to_owned(), through);
        }
        self.released.notify_one();
    }

    fn head(&self, pool: PoolId) -> watch::Receiver<CommitNumber> {
        self.rows.head(pool)
    }

    fn flush<'a>(&'a self, pool: PoolId, table: &'a str) -> BoxFuture<'a, Result<u64, TablesError>> {
        self.rows.flush(pool, table)
    }
}
