//! Bringing rows to rest.
//!
//! A flush takes the layers of a table up to some commit, rewrites the files
//! at rest that hold rows which those layers hide, adds files with their rows,
//! and commits all of it to the Delta log in one step that names the commit.
//! Whatever happens in between, either that step was taken or it was not.
//! Pushes never wait for a flush, nor does a query.

use std::sync::Arc;
use std::time::Duration;

use arrow::datatypes::SchemaRef;
use base::Timestamp;
use pools::schema::{Shape, widest};
use pools::{CommitNumber, PoolId, TablesError};
use tokio::sync::{MutexGuard, mpsc, oneshot};
use tracing::{info, warn};

use crate::arrow_rows::{arrow_schema, conform};
use crate::disk::Disk;
use crate::error::failed;
use crate::files::{self, Batches, Writer, Written};
use crate::hot::{Layer, Stack};
use crate::keys::Coder;
use crate::lake::Options;
use crate::merge::{Run, merge};
use crate::pace::{Errand, Sender};
use crate::pool::{Desk, Pool};
use crate::rest::{Delta, Held, Rest, RestFile, Step, folder_name};
use crate::skipping::Choice;
use crate::table::{Table, hidden_in};
use crate::writer::{Shared, Task};

/// Rows that come from disk are sorted in portions of this size.
const PORTION_BYTES: usize = 32 * 1024 * 1024;

/// A table whose flush failed is left alone for so long.
pub(crate) const PAUSE_AFTER_FAILURE: Duration = Duration::from_secs(30);

/// Whether somebody waits for the rows to come to rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Haste {
    /// Nobody does: it may take its time.
    None,
    /// Somebody does.
    Waited,
}

/// Tells whether what is pending of a table should come to rest now.
pub(crate) fn is_due(table: &Table, ceiling: CommitNumber, now: Timestamp, options: &Options) -> bool {
    let pending: Vec<_> = table.layers.iter().filter(|layer| layer.through <= ceiling).collect();
    let Some(oldest) = pending.first() else { return false };
    let age = now.since(oldest.since);
    let bytes: u64 = pending.iter().map(|layer| layer.bytes()).sum();
    if bytes >= options.flush_bytes || age >= options.freshness {
        return true;
    }
    // Files that have to be rewritten make a flush dear: it waits until enough
    // rows share the cost.
    let rows: usize = pending.iter().map(|layer| layer.rows()).sum();
    age >= options.flush_after && rows as f64 >= options.flush_share * rewritten_by(table, &pending) as f64
}

/// Tells whether so much is pending that memory may run short.
pub(crate) fn is_pressing(table: &Table, options: &Options) -> bool {
    table.layers.iter().map(|layer| layer.memory_bytes()).sum::<u64>() >= options.flush_bytes
}

/// Returns about how many rows at rest have to be written anew to bring layers
/// to rest: those of the files in which keys may lie that the layers hide.
fn rewritten_by(table: &Table, layers: &[&Arc<Layer>]) -> u64 {
    if layers.iter().any(|layer| layer.replaces) {
        return 0;
    }
    let is_touched = |file: &&RestFile| layers.iter().any(|layer| layer.may_hide_in(&table.rest, file).is_some());
    table.rest.files.iter().filter(is_touched).map(|file| file.rows).sum()
}

/// Brings a table to rest up to a commit and returns the version of the Delta
/// table that holds it.
pub(crate) async fn flush(
    shared: Arc<Shared>,
    tasks: mpsc::Sender<Task>,
    pool: PoolId,
    table: String,
    ceiling: CommitNumber,
    haste: Haste,
) -> Result<u64, TablesError> {
    let pool = shared.pool(pool);
    let unknown = || TablesError::UnknownTable { table: table.clone() };
    let known = pool.table(&table).ok_or_else(unknown)?;
    let desk = pool.desk(&table);
    if haste == Haste::Waited
        && let Some(errand) = &*desk.errand.lock()
    {
        errand.hurry();
    }
    let hurries = haste == Haste::Waited || is_pressing(&known, &shared.options);
    let work = AtRest::begin(&shared, &tasks, &pool, &known.name, &desk, hurries).await?;
    let (reply, sealed) = oneshot::channel();
    ask(&tasks, Task::Seal { pool: pool.id, table: table.clone(), ceiling, reply }).await?;
    let Some((sealed, through)) = sealed.await.map_err(|_| gone())? else {
        work.end();
        let rest = pool.table(&table).ok_or_else(unknown)?.rest.clone();
        return rest.version.ok_or_else(|| failed("nothing of the table may come to rest yet"));
    };
    let step = work.on_a_thread(move |room| write(room, &sealed, through)).await?;
    let (rows, files) = (step.written.iter().map(|file| file.rows).sum::<u64>(), step.written.len());
    let rewritten = step.gone.len();
    let version = work.commit(step).await?;
    info!(pool = %pool.id, table = %known.name, through, version, rows, files, rewritten, "rows came to rest");
    Ok(version)
}

/// Work on a table at rest, at its desk.
pub(crate) struct AtRest<'a> {
    shared: &'a Arc<Shared>,
    tasks: &'a mpsc::Sender<Task>,
    pool: PoolId,
    table: &'a str,
    desk: &'a Desk,
    place: MutexGuard<'a, Option<Delta>>,
    room: Room,
    /// The log, as it is known.
    pub(crate) delta: Delta,
    _sender: Sender,
}

/// Where files are written, and how.
#[derive(Clone)]
pub(crate) struct Room {
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) folder: std::path::PathBuf,
    bytes_max: u64,
    pub(crate) now_ms: i64,
    errand: Arc<Errand>,
}

impl<'a> AtRest<'a> {
    /// Waits for the desk and takes the Delta log from it.
    pub(crate) async fn begin(
        shared: &'a Arc<Shared>,
        tasks: &'a mpsc::Sender<Task>,
        pool: &Pool,
        table: &'a str,
        desk: &'a Desk,
        hurries: bool,
    ) -> Result<AtRest<'a>, TablesError> {
        let mut place = desk.delta.lock().await;
        let errand = Arc::new(Errand::new(shared.budget.clone(), hurries));
        *desk.errand.lock() = Some(errand.clone());
        let sender = Sender(errand.clone());
        let folder = pool.folder.join(folder_name(table));
        let delta = if let Some(delta) = place.take() {
            delta
        } else {
            let (disk, retention) = (shared.disk.clone(), shared.options.retention);
            let delta = Delta::open(disk, pool.id, &folder, desk.held.clone(), retention).await?;
            // Earlier work may have been committed without our knowing.
            if let Some((_, rest)) = delta.rest().await? {
                show(tasks, pool.id, table, Arc::new(rest)).await?;
            }
            delta
        };
        let (disk, bytes_max) = (shared.disk.clone(), shared.options.file_bytes_max);
        let room = Room { disk, folder, bytes_max, now_ms: shared.clock.now().as_millis(), errand };
        Ok(AtRest { shared, tasks, pool: pool.id, table, desk, place, room, delta, _sender: sender })
    }

    /// Returns the table as it is now.
    pub(crate) fn table(&self) -> Option<Arc<Table>> {
        self.shared.pool(self.pool).table(self.table)
    }

    /// Returns which files someone may still read.
    pub(crate) fn held(&self) -> Held {
        self.desk.held.clone()
    }

    /// Works where it may take its time.
    pub(crate) async fn on_a_thread<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Room) -> Result<T, TablesError> + Send + 'static,
    ) -> Result<T, TablesError> {
        let room = self.room.clone();
        tokio::task::spawn_blocking(move || work(&room)).await.map_err(failed)?
    }

    /// Commits a step, shows what then lies at rest and returns its version.
    pub(crate) async fn commit(mut self, step: Step) -> Result<u64, TablesError> {
        let rest = Arc::new(self.delta.commit(step).await?);
        let version = rest.version.expect("a commit has a version");
        show(self.tasks, self.pool, self.table, rest).await?;
        self.end();
        Ok(version)
    }

    /// Puts the log back.
    pub(crate) fn end(mut self) {
        *self.desk.errand.lock() = None;
        *self.place = Some(self.delta);
    }
}

async fn show(tasks: &mpsc::Sender<Task>, pool: PoolId, table: &str, rest: Arc<Rest>) -> Result<(), TablesError> {
    let (reply, shown) = oneshot::channel();
    ask(tasks, Task::Rested { pool, table: table.to_owned(), rest, reply }).await?;
    shown.await.map_err(|_| gone())
}

/// Hands the writer a task.
pub(crate) async fn ask(tasks: &mpsc::Sender<Task>, task: Task) -> Result<(), TablesError> {
    tasks.send(task).await.map_err(|_| gone())
}

/// Returns the error of a call that came after the end.
pub(crate) fn gone() -> TablesError {
    failed("the tables are closed")
}

/// Writes the files of a flush and tells which others they replace.
fn write(room: &Room, table: &Table, through: CommitNumber) -> Result<Step, TablesError> {
    let pending: Vec<_> = table.layers.iter().filter(|layer| layer.through <= through).cloned().collect();
    let stack = Stack::of(&pending).map_err(failed)?;
    let shape = stack.newest().ok_or_else(|| failed("nothing is pending"))?.shape.clone();
    let gone = replaced(&table.rest, &stack, &shape)?;
    let survivors: &[RestFile] = if stack.replaces() { &[] } else { &gone };
    let written = room.write(through, &shape, survivors, Some(&stack))?;
    let name = table.name.clone();
    Ok(Step { name, shape, through, gone, written, now_ms: room.now_ms, moves_rows: false })
}

impl Room {
    /// Writes the rows of files and those of layers upon them into new files:
    /// by their keys, if the table has some, else as they arrived.
    pub(crate) fn write(
        &self,
        through: CommitNumber,
        shape: &Shape,
        from: &[RestFile],
        stack: Option<&Stack>,
    ) -> Result<Vec<Written>, TablesError> {
        self.disk.make_folder(&self.folder).map_err(files::of_disk)?;
        let schema = arrow_schema(&shape.schema);
        let stem = format!("{through:020}");
        let mut writer = Writer::new(self.disk.clone(), &self.folder, stem, schema.clone(), self.bytes_max);
        let filled = if shape.keys.is_empty() {
            self.fill(&mut writer, &schema, from, stack)
        } else {
            self.fill_by_key(&mut writer, &schema, shape, from, stack)
        };
        match filled {
            Ok(()) => writer.finish(),
            Err(error) => {
                writer.discard();
                Err(error)
            }
        }
    }

    fn fill(
        &self,
        writer: &mut Writer,
        schema: &SchemaRef,
        from: &[RestFile],
        stack: Option<&Stack>,
    ) -> Result<(), TablesError> {
        for file in from {
            for batch in survivors(file, schema, stack)? {
                self.errand.step(writer.write(&batch?)?)?;
            }
        }
        let Some(stack) = stack else { return Ok(()) };
        stack.read(schema, &mut |batch| {
            self.errand.step(writer.write(&batch)?)?;
            Ok(true)
        })
    }

    fn fill_by_key(
        &self,
        writer: &mut Writer,
        schema: &SchemaRef,
        shape: &Shape,
        from: &[RestFile],
        stack: Option<&Stack>,
    ) -> Result<(), TablesError> {
        let coder = Coder::new(shape).map_err(failed)?;
        let mut runs = Vec::new();
        for file in from {
            let low = file.keys.as_ref().map(|range| range.low().into());
            runs.push(Run { low, open: Box::new(move || Ok(Box::new(survivors(file, schema, stack)?))) });
        }
        let mut portion = Vec::new();
        let mut bytes = 0;
        if let Some(stack) = stack {
            stack.read(schema, &mut |batch| {
                bytes += batch.get_array_memory_size();
                portion.push(batch);
                // What does not fit into memory is sorted portion by portion:
                // its files are in order, if not among each other.
                if stack.is_on_disk() && bytes >= PORTION_BYTES {
                    runs.push(Run::sorted(&coder, std::mem::take(&mut portion))?);
                    let runs = std::mem::take(&mut runs);
                    merge(&coder, runs, &mut |batch| self.errand.step(writer.write(batch)?))?;
                    bytes = 0;
                }
                Ok(true)
            })?;
        }
        runs.push(Run::sorted(&coder, portion)?);
        merge(&coder, runs, &mut |batch| self.errand.step(writer.write(batch)?))
    }
}

/// Reads what layers let be seen of a file, in the columns of a schema.
fn survivors<'a>(
    file: &RestFile,
    schema: &'a SchemaRef,
    stack: Option<&'a Stack>,
) -> Result<impl Iterator<Item = Result<arrow::array::RecordBatch, TablesError>> + use<'a>, TablesError> {
    let keys = stack.map_or(&[] as &[String], Stack::hiding_columns);
    let batches = Batches::open(&file.path, schema, keys, Choice::All)?;
    Ok(batches.map(move |batch| {
        let seen = match stack {
            Some(stack) => stack.lets_through(&batch?).map_err(failed)?,
            None => batch?,
        };
        conform(&seen, schema).map_err(failed)
    }))
}

/// Returns the files that a flush of these layers replaces: those with rows
/// that they hide, and all if a column changed its type.
fn replaced(rest: &Rest, stack: &Stack, shape: &Shape) -> Result<Vec<RestFile>, TablesError> {
    if stack.replaces() || changes_a_type(&rest.shape, shape) {
        return Ok(rest.files.clone());
    }
    let mut replaced = Vec::new();
    for file in &rest.files {
        if hidden_in(rest, file, stack)? > 0 {
            replaced.push(file.clone());
        }
    }
    Ok(replaced)
}

fn changes_a_type(before: &Shape, after: &Shape) -> bool {
    before.schema.columns.iter().any(|column| match after.schema.position(&column.name) {
        Some(place) => widest(column.column_type, after.schema.columns[place].column_type) != column.column_type,
        None => false,
    })
}

/// Reports a flush that failed; it is tried again later.
pub(crate) fn complain(pool: PoolId, table: &str, error: &TablesError) {
    warn!(pool = %pool, table, error = %error, "rows could not come to rest; they stay in the log and it will be tried again");
}
