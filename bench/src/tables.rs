//! Tables that hold what was generated, and commits that come one by one.

use std::collections::HashMap;
use std::sync::Mutex;

use base::{BoxFuture, Causes, Timestamp};
use pools::rows::Schema;
use pools::{
    Change, Commit, CommitNumber, Committed, Mode, Piece, PoolId, PushJobId, Rows, Snapshot, TableInfo, Tables,
    TablesError,
};
use tokio::sync::watch;

/// The port, as far as whoever follows a pool asks for it.
pub(crate) struct Generated {
    /// Given away when they are read.
    rows: Mutex<HashMap<String, Rows>>,
    infos: HashMap<String, TableInfo>,
    changes: Mutex<Vec<Change>>,
    head: watch::Sender<CommitNumber>,
}

impl Generated {
    pub(crate) fn new(tables: Vec<(&str, Rows)>) -> Self {
        let info = |name: &str, rows: &Rows| TableInfo {
            name: name.to_owned(),
            schema: Schema { columns: rows.schema().columns },
            rows: rows.len() as u64,
            keys: Vec::new(),
            changed_by: 1,
        };
        Generated {
            infos: tables.iter().map(|(name, rows)| ((*name).to_owned(), info(name, rows))).collect(),
            rows: Mutex::new(tables.into_iter().map(|(name, rows)| (name.to_owned(), rows)).collect()),
            changes: Mutex::default(),
            head: watch::Sender::new(1),
        }
    }

    /// Commits rows to the activity table.
    pub(crate) fn push(&self, rows: Rows) {
        let number = *self.head.borrow() + 1;
        let (upserts, deletes) = (rows, Rows::default());
        let change = Change {
            number,
            table: "EV".into(),
            mode: Mode::Append,
            upserts,
            deletes,
            at: Timestamp::EPOCH,
            causes: Causes::NONE,
        };
        self.changes.lock().expect("nobody panics here").push(change);
        self.head.send_replace(number);
    }
}

fn only_read<T>() -> Result<T, TablesError> {
    Err(TablesError::Failed { detail: "these tables are only read".into() })
}

impl Tables for Generated {
    fn stage(&self, _: PoolId, _: PushJobId, _: Piece) -> BoxFuture<'_, Result<(), TablesError>> {
        Box::pin(async { only_read() })
    }

    fn abandon(&self, _: PushJobId) {}

    fn commit(&self, _: Commit) -> BoxFuture<'_, Result<Committed, TablesError>> {
        Box::pin(async { only_read() })
    }

    fn outcome(&self, _: PoolId, _: PushJobId) -> BoxFuture<'_, Result<Option<Committed>, TablesError>> {
        Box::pin(async { Ok(None) })
    }

    fn list(&self, _: PoolId) -> BoxFuture<'_, Result<Vec<TableInfo>, TablesError>> {
        Box::pin(async { Ok(self.infos.values().cloned().collect()) })
    }

    fn table<'a>(&'a self, _: PoolId, table: &'a str) -> BoxFuture<'a, Result<Option<TableInfo>, TablesError>> {
        Box::pin(async move { Ok(self.infos.get(table).cloned()) })
    }

    fn scan<'a>(
        &'a self,
        _: PoolId,
        table: &'a str,
        _: Option<Vec<String>>,
    ) -> BoxFuture<'a, Result<Snapshot, TablesError>> {
        Box::pin(async move {
            let rows = self.rows.lock().expect("nobody panics here").remove(table);
            let rows = rows.ok_or_else(|| TablesError::UnknownTable { table: table.to_owned() })?;
            Ok(Snapshot { number: 1, rows })
        })
    }

    fn changes(&self, _: PoolId, after: CommitNumber, limit: usize) -> BoxFuture<'_, Result<Vec<Change>, TablesError>> {
        Box::pin(async move {
            let changes = self.changes.lock().expect("nobody panics here");
            Ok(changes.iter().filter(|change| change.number > after).take(limit).cloned().collect())
        })
    }

    fn release(&self, _: PoolId, _: &str, through: CommitNumber) {
        self.changes.lock().expect("nobody panics here").retain(|change| change.number > through);
    }

    fn head(&self, _: PoolId) -> watch::Receiver<CommitNumber> {
        self.head.subscribe()
    }

    fn flush<'a>(&'a self, _: PoolId, _: &'a str) -> BoxFuture<'a, Result<u64, TablesError>> {
        Box::pin(async { Ok(0) })
    }
}
