//! The rows in memory.
//!
//! [`MemTables`] keeps the whole promise of [`Tables`] except durability: the
//! tests of everything above the port run on it, and it is the model against
//! which the real one is compared. It favours being plainly right over being
//! fast: rows are kept one by one under their `_seq`.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;

use base::BoxFuture;
use parking_lot::Mutex;
use tokio::sync::watch;

use crate::port::{
    CHANGE_DATE_COLUMN, Change, Commit, CommitNumber, Committed, Mode, Piece, SEQ_COLUMN, Snapshot, TableInfo, Tables,
    TablesError,
};
use crate::rows::{Cell, ColumnBuilder, ColumnType, Rows, Schema};
use crate::schema::{self, Shape};
use crate::{ParquetHead, PoolId, PushJobId};

/// Tables that are gone when the process is.
#[derive(Default)]
pub struct MemTables {
    state: Mutex<State>,
    parquet: Option<ReadParquet>,
}

/// Reads what a test takes for Parquet.
pub type ReadParquet = fn(&Path) -> Result<Rows, TablesError>;

impl MemTables {
    /// Makes tables of which there are none yet.
    pub fn new() -> Self {
        MemTables::default()
    }

    /// Makes tables that read Parquet, or what a test takes for it.
    pub fn with_parquet(read: ReadParquet) -> Self {
        MemTables { parquet: Some(read), ..MemTables::default() }
    }

    /// Forgets what was staged and not committed, as a restart does.
    pub fn restart(&self) {
        self.state.lock().staged.clear();
    }

    /// Forgets the changes of a pool up to a number, so that whoever asks for
    /// them has to load a snapshot instead.
    pub fn forget(&self, pool: PoolId, through: CommitNumber) {
        let mut state = self.state.lock();
        let pool = state.pool(pool);
        pool.gone = through;
        pool.changes.retain(|change| change.number > through);
        pool.before.retain(|(number, ..)| *number > through);
    }
}

#[derive(Default)]
struct State {
    staged: HashMap<PushJobId, Vec<Piece>>,
    pools: HashMap<PoolId, Pool>,
}

impl State {
    fn pool(&mut self, pool: PoolId) -> &mut Pool {
        self.pools.entry(pool).or_default()
    }
}

#[derive(Default)]
struct Pool {
    head: watch::Sender<CommitNumber>,
    tables: BTreeMap<String, Table>,
    /// What a commit replaced: its number, the table, its state before.
    before: Vec<(CommitNumber, String, Option<Table>)>,
    changes: Vec<Change>,
    gone: CommitNumber,
    outcomes: HashMap<PushJobId, Committed>,
    released: HashMap<String, CommitNumber>,
}

#[derive(Clone, Default)]
struct Table {
    name: String,
    shape: Shape,
    /// By `_seq`.
    rows: BTreeMap<i64, Vec<Datum>>,
    /// Which rows bear a key; a keyless table has none, and a table that was
    /// appended to may have several for one.
    by_key: HashMap<Vec<Datum>, Vec<i64>>,
    commits: u64,
    changed_by: CommitNumber,
}

/// A value that owns itself. Floats compare by their bits, because they serve
/// as keys too.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Datum {
    Null,
    Integer(i64),
    Float(u64),
    Time(i64),
    Boolean(bool),
    Text(Arc<str>),
}

impl Datum {
    /// Takes a value into a column of a type at least as wide. What does not
    /// fit is `None`: no row of that column can be equal to it.
    fn of(cell: Cell<'_>, column_type: ColumnType) -> Option<Datum> {
        Some(match (cell, column_type) {
            (Cell::Null, _) => Datum::Null,
            (Cell::Integer(value), ColumnType::Integer) => Datum::Integer(value),
            (Cell::Integer(value), ColumnType::Float) => Datum::Float((value as f64).to_bits()),
            (Cell::Float(value), ColumnType::Float) => Datum::Float(value.to_bits()),
            (Cell::Time(value), ColumnType::Time) => Datum::Time(value),
            (Cell::Boolean(value), ColumnType::Boolean) => Datum::Boolean(value),
            (cell, ColumnType::Text) => Datum::Text(schema::text_of(cell).into()),
            _ => return None,
        })
    }

    fn cell(&self) -> Cell<'_> {
        match self {
            Datum::Null => Cell::Null,
            Datum::Integer(value) => Cell::Integer(*value),
            Datum::Float(bits) => Cell::Float(f64::from_bits(*bits)),
            Datum::Time(value) => Cell::Time(*value),
            Datum::Boolean(value) => Cell::Boolean(*value),
            Datum::Text(text) => Cell::Text(text),
        }
    }
}

impl Table {
    /// Takes on a shape that is at least as wide.
    fn reshape(&mut self, shape: Shape) {
        let types: Vec<_> = shape.schema.columns.iter().map(|column| column.column_type).collect();
        for row in self.rows.values_mut() {
            for (datum, column_type) in row.iter_mut().zip(&types) {
                *datum = Datum::of(datum.cell(), *column_type).expect("shapes only widen");
            }
            row.resize(types.len(), Datum::Null);
        }
        self.shape = shape;
        self.by_key.clear();
        let places = self.key_places();
        for (seq, row) in &self.rows {
            if !places.is_empty() {
                self.by_key.entry(key_of(row, &places)).or_default().push(*seq);
            }
        }
    }

    fn key_places(&self) -> Vec<usize> {
        let keys = self.shape.keys.iter();
        keys.map(|key| self.shape.schema.position(key).expect("keys are columns")).collect()
    }

    /// Removes the rows that bear a key and returns the last of them.
    fn remove(&mut self, key: &[Datum]) -> Option<Vec<Datum>> {
        let mut last = None;
        for seq in self.by_key.remove(key).unwrap_or_default() {
            last = self.rows.remove(&seq);
        }
        last
    }

    fn insert(&mut self, seq: i64, row: Vec<Datum>, key_places: &[usize]) {
        if !key_places.is_empty() {
            self.by_key.entry(key_of(&row, key_places)).or_default().push(seq);
        }
        self.rows.insert(seq, row);
    }

    fn rows_from(&self, first: i64) -> Rows {
        let rows: Vec<_> = self.rows.range(first..).collect();
        let everything: Vec<_> = (0..self.shape.schema.columns.len()).collect();
        rows_of(&self.shape.schema, &everything, &rows, true)
    }

    fn rows_at(&self, places: &[usize]) -> Rows {
        let rows: Vec<_> = self.rows.iter().collect();
        rows_of(&self.shape.schema, places, &rows, true)
    }

    fn info(&self) -> TableInfo {
        TableInfo {
            name: self.name.clone(),
            schema: self.shape.schema.clone(),
            rows: self.rows.len() as u64,
            keys: self.shape.keys.clone(),
            changed_by: self.changed_by,
        }
    }
}

fn key_of(row: &[Datum], places: &[usize]) -> Vec<Datum> {
    places.iter().map(|place| row[*place].clone()).collect()
}

fn rows_of(schema: &Schema, places: &[usize], rows: &[(&i64, &Vec<Datum>)], with_seq: bool) -> Rows {
    let mut columns = Vec::new();
    for place in places {
        let column = &schema.columns[*place];
        let mut builder = ColumnBuilder::new(column.name.clone(), column.column_type);
        for (_, row) in rows {
            builder.push(row[*place].cell());
        }
        columns.push(builder.finish());
    }
    if with_seq {
        let mut builder = ColumnBuilder::new(SEQ_COLUMN, ColumnType::Integer);
        for (seq, _) in rows {
            builder.push(Cell::Integer(**seq));
        }
        columns.push(builder.finish());
    }
    Rows::new(columns)
}

/// Applies the pieces of a job to a copy of its table; the caller puts the
/// copy in place, so that a refusal leaves no trace.
fn apply(
    table: Option<&Table>,
    commit: &Commit,
    number: CommitNumber,
    pieces: &[Piece],
) -> Result<(Table, Change, Committed), TablesError> {
    let mismatch = |detail: String| TablesError::Mismatch { table: commit.table.clone(), detail };
    let mut incoming = Schema::default();
    for piece in pieces {
        match piece {
            Piece::Upsert(rows) => incoming = schema::union(&incoming, &rows.schema()),
            Piece::Delete(_) if matches!(commit.mode, Mode::Upsert { .. }) => {}
            Piece::Delete(_) => return Err(mismatch("deletes need keys".into())),
            Piece::UpsertParquet(_) | Piece::DeleteParquet(_) => unreachable!("refused when it was staged"),
        }
    }
    let shape = schema::after(table.map(|table| &table.shape), &commit.mode, &incoming).map_err(mismatch)?;
    let mut table = match (table, &commit.mode) {
        (Some(table), Mode::Append | Mode::Upsert { .. }) => table.clone(),
        (Some(table), Mode::Replace) => Table { name: table.name.clone(), commits: table.commits, ..Table::default() },
        (None, _) => Table { name: commit.table.clone(), ..Table::default() },
    };
    table.reshape(shape);

    let first = (number << 32) as i64;
    let key_places = table.key_places();
    let changed_at = table.shape.schema.position(CHANGE_DATE_COLUMN).expect("every table has it");
    let keep_missing = matches!(commit.mode, Mode::Upsert { keep_missing: true, .. });
    let replaces = matches!(commit.mode, Mode::Upsert { .. });
    let mut arrived = 0;
    let mut deleted = 0;
    let mut gone: HashSet<Vec<Datum>> = HashSet::new();
    for piece in pieces {
        let (Piece::Upsert(rows) | Piece::Delete(rows)) = piece else { unreachable!("refused above") };
        let deletes = matches!(piece, Piece::Delete(_));
        if let Some(key) = table.shape.keys.iter().find(|key| replaces && rows.column(key).is_none()) {
            return Err(mismatch(format!("key column \"{key}\" is missing in a chunk")));
        }
        // For each column of the piece its place in the table; a delete only
        // looks at keys.
        let places = rows.columns().iter().map(|column| table.shape.schema.position(&column.name));
        let places: Vec<_> = places.map(|place| place.filter(|place| !deletes || key_places.contains(place))).collect();
        for row in 0..rows.len() {
            let mut fresh = vec![Datum::Null; table.shape.schema.columns.len()];
            let mut fits = true;
            for (column, place) in rows.columns().iter().zip(&places) {
                let Some(place) = *place else { continue };
                match Datum::of(column.cell(row), table.shape.schema.columns[place].column_type) {
                    Some(datum) => fresh[place] = datum,
                    None => fits = false,
                }
            }
            let key = key_of(&fresh, &key_places);
            if deletes {
                if fits {
                    deleted += u64::from(table.remove(&key).is_some());
                    gone.insert(key);
                }
                continue;
            }
            if replaces {
                let before = table.remove(&key);
                if let (true, Some(before)) = (keep_missing, before) {
                    for (place, datum) in before.into_iter().enumerate() {
                        if !places.contains(&Some(place)) {
                            fresh[place] = datum;
                        }
                    }
                }
                gone.remove(&key);
            }
            fresh[changed_at] = Datum::Time(commit.at.as_micros());
            table.insert(first + arrived, fresh, &key_places);
            arrived += 1;
        }
    }
    table.commits += 1;
    table.changed_by = number;
    let upserts = table.rows_from(first);
    let committed = Committed { number, upserted: upserts.len() as u64, deleted };
    let change = Change {
        number,
        table: table.name.clone(),
        mode: commit.mode.clone(),
        upserts,
        deletes: keys_as_rows(&table, &gone),
        at: commit.at,
        causes: commit.causes.clone(),
    };
    Ok((table, change, committed))
}

fn keys_as_rows(table: &Table, keys: &HashSet<Vec<Datum>>) -> Rows {
    let schema = &table.shape.schema;
    let columns = table.key_places().into_iter().map(|place| schema.columns[place].clone()).collect();
    let schema = Schema { columns };
    let keys: Vec<_> = keys.iter().map(|key| (&0, key)).collect();
    let places: Vec<_> = (0..schema.columns.len()).collect();
    rows_of(&schema, &places, &keys, false)
}

impl State {
    fn commit(&mut self, commit: &Commit) -> Result<Committed, TablesError> {
        if let Some(known) = self.pool(commit.pool).outcomes.get(&commit.job) {
            return Ok(*known);
        }
        let pieces = self.staged.remove(&commit.job).unwrap_or_default();
        let pool = self.pool(commit.pool);
        let number = *pool.head.borrow() + 1;
        let place = commit.table.to_ascii_lowercase();
        let (table, change, committed) = apply(pool.tables.get(&place), commit, number, &pieces)?;
        let before = pool.tables.insert(place.clone(), table);
        pool.before.push((number, place, before));
        pool.changes.push(change);
        pool.outcomes.insert(commit.job, committed);
        pool.head.send_replace(number);
        Ok(committed)
    }

    fn scan(&mut self, pool: PoolId, name: &str, columns: Option<&[String]>) -> Result<Snapshot, TablesError> {
        let pool = self.pool(pool);
        let number = *pool.head.borrow();
        let Some(table) = pool.tables.get(&name.to_ascii_lowercase()) else {
            return Err(TablesError::UnknownTable { table: name.to_owned() });
        };
        let schema = &table.shape.schema;
        let mut places = Vec::new();
        match columns {
            None => places.extend(0..schema.columns.len()),
            Some(columns) => {
                for column in columns.iter().filter(|column| !column.eq_ignore_ascii_case(SEQ_COLUMN)) {
                    places.push(schema.position(column).ok_or_else(|| TablesError::Mismatch {
                        table: table.name.clone(),
                        detail: format!("it has no column \"{column}\""),
                    })?);
                }
            }
        }
        Ok(Snapshot { number, rows: table.rows_at(&places) })
    }

    fn scan_at(&mut self, pool: PoolId, name: &str, number: CommitNumber) -> Result<Snapshot, TablesError> {
        let pool = self.pool(pool);
        if number < pool.gone {
            return Err(TablesError::Forgotten { gone: pool.gone });
        }
        let place = name.to_ascii_lowercase();
        let replaced = pool.before.iter().find(|(later, table, _)| *later > number && *table == place);
        let table = match replaced {
            Some((_, _, before)) => before.as_ref(),
            None => pool.tables.get(&place),
        };
        let table = table.ok_or_else(|| TablesError::UnknownTable { table: name.to_owned() })?;
        let everything: Vec<_> = (0..table.shape.schema.columns.len()).collect();
        Ok(Snapshot { number: number.min(*pool.head.borrow()), rows: table.rows_at(&everything) })
    }
}

impl Tables for MemTables {
    fn stage(&self, _pool: PoolId, job: PushJobId, piece: Piece) -> BoxFuture<'_, Result<(), TablesError>> {
        Box::pin(async move {
            let piece = match piece {
                Piece::UpsertParquet(file) => Piece::Upsert(self.read_parquet(&file).await?),
                Piece::DeleteParquet(file) => Piece::Delete(self.read_parquet(&file).await?),
                piece => piece,
            };
            self.state.lock().staged.entry(job).or_default().push(piece);
            Ok(())
        })
    }

    fn abandon(&self, job: PushJobId) {
        self.state.lock().staged.remove(&job);
    }

    fn commit(&self, commit: Commit) -> BoxFuture<'_, Result<Committed, TablesError>> {
        Box::pin(async move { self.state.lock().commit(&commit) })
    }

    fn outcome(&self, pool: PoolId, job: PushJobId) -> BoxFuture<'_, Result<Option<Committed>, TablesError>> {
        Box::pin(async move { Ok(self.state.lock().pool(pool).outcomes.get(&job).copied()) })
    }

    fn list(&self, pool: PoolId) -> BoxFuture<'_, Result<Vec<TableInfo>, TablesError>> {
        Box::pin(async move { Ok(self.state.lock().pool(pool).tables.values().map(Table::info).collect()) })
    }

    fn table<'a>(&'a self, pool: PoolId, table: &'a str) -> BoxFuture<'a, Result<Option<TableInfo>, TablesError>> {
        Box::pin(async move {
            let mut state = self.state.lock();
            Ok(state.pool(pool).tables.get(&table.to_ascii_lowercase()).map(Table::info))
        })
    }

    fn scan_at<'a>(
        &'a self,
        pool: PoolId,
        table: &'a str,
        number: CommitNumber,
    ) -> BoxFuture<'a, Result<Snapshot, TablesError>> {
        Box::pin(async move { self.state.lock().scan_at(pool, table, number) })
    }

    fn scan<'a>(
        &'a self,
        pool: PoolId,
        table: &'a str,
        columns: Option<Vec<String>>,
    ) -> BoxFuture<'a, Result<Snapshot, TablesError>> {
        Box::pin(async move { self.state.lock().scan(pool, table, columns.as_deref()) })
    }

    fn changes(
        &self,
        pool: PoolId,
        after: CommitNumber,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<Change>, TablesError>> {
        Box::pin(async move {
            let mut state = self.state.lock();
            let pool = state.pool(pool);
            if after < pool.gone {
                return Err(TablesError::Forgotten { gone: pool.gone });
            }
            Ok(pool.changes.iter().filter(|change| change.number > after).take(limit).cloned().collect())
        })
    }

    fn release(&self, pool: PoolId, consumer: &str, through: CommitNumber) {
        // Remembered, not acted upon: a test decides itself when to forget.
        self.state.lock().pool(pool).released.insert(consumer.to_owned(), through);
    }

    fn last_change(&self, pool: PoolId, table: &str) -> Option<CommitNumber> {
        let mut state = self.state.lock();
        Some(state.pool(pool).tables.get(&table.to_ascii_lowercase())?.changed_by)
    }

    fn head(&self, pool: PoolId) -> watch::Receiver<CommitNumber> {
        self.state.lock().pool(pool).head.subscribe()
    }

    fn parquet_head<'a>(&'a self, file: &'a Path, rows: usize) -> BoxFuture<'a, Result<ParquetHead, TablesError>> {
        Box::pin(async move {
            let all = self.read_parquet(file).await?;
            Ok(ParquetHead { rows: all.len() as u64, first: all.first(rows) })
        })
    }

    fn read_parquet<'a>(&'a self, file: &'a Path) -> BoxFuture<'a, Result<Rows, TablesError>> {
        Box::pin(async move {
            let Some(read) = self.parquet else {
                let detail = "tables in memory do not read Parquet".into();
                return Err(TablesError::BadFile { file: file.display().to_string(), detail });
            };
            read(file)
        })
    }

    fn flush<'a>(&'a self, pool: PoolId, table: &'a str) -> BoxFuture<'a, Result<u64, TablesError>> {
        Box::pin(async move {
            let mut state = self.state.lock();
            let known = state.pool(pool).tables.get(&table.to_ascii_lowercase());
            known.map(|table| table.commits).ok_or_else(|| TablesError::UnknownTable { table: table.to_owned() })
        })
    }
}

#[cfg(test)]
mod tests;
