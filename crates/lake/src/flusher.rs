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
use tokio::sync::{mpsc, oneshot};
use tracing::{info, warn};

use crate::arrow_rows::{arrow_schema, conform};
use crate::disk::Disk;
use crate::error::failed;
use crate::files::{self, Writer, Written};
use crate::hot::Stack;
use crate::lake::Options;
use crate::rest::{Delta, Rest, RestFile, Step, folder_name};
use crate::table::Table;
use crate::writer::{Shared, Task};

/// Files smaller than this are folded into one once there are several.
const SMALL_FILE_BYTES: u64 = 8 * 1024 * 1024;
const SMALL_FILES_MAX: usize = 8;

/// A table whose flush failed is left alone for so long.
pub(crate) const PAUSE_AFTER_FAILURE: Duration = Duration::from_secs(30);

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
    let rewrites = pending.iter().any(|layer| layer.hiding_columns().is_some()) && !oldest.replaces;
    let rows: usize = pending.iter().map(|layer| layer.rows()).sum();
    let share = rows as f64 >= options.flush_share * table.rest.rows() as f64;
    age >= options.flush_after && (!rewrites || share)
}

/// Brings a table to rest up to a commit and returns the version of the Delta
/// table that holds it.
pub(crate) async fn flush(
    shared: Arc<Shared>,
    tasks: mpsc::Sender<Task>,
    pool: PoolId,
    table: String,
    ceiling: CommitNumber,
) -> Result<u64, TablesError> {
    let pool = shared.pool(pool);
    let unknown = || TablesError::UnknownTable { table: table.clone() };
    let known = pool.table(&table).ok_or_else(unknown)?;
    let folder = pool.folder.join(folder_name(&known.name));
    let desk = pool.desk(&table);
    let mut desk = desk.lock().await;
    let mut delta = if let Some(delta) = desk.take() {
        delta
    } else {
        let delta = Delta::open(shared.disk.clone(), pool.id, &folder).await?;
        // An earlier flush may have committed without our knowing.
        if let Some((_, rest)) = delta.rest().await? {
            show(&tasks, pool.id, &table, Arc::new(rest)).await?;
        }
        delta
    };
    let (reply, sealed) = oneshot::channel();
    ask(&tasks, Task::Seal { pool: pool.id, table: table.clone(), ceiling, reply }).await?;
    let Some((sealed, through)) = sealed.await.map_err(|_| gone())? else {
        *desk = Some(delta);
        let rest = pool.table(&table).ok_or_else(unknown)?.rest.clone();
        return rest.version.ok_or_else(|| failed("nothing of the table may come to rest yet"));
    };
    let (disk, bytes_max) = (shared.disk.clone(), shared.options.file_bytes_max);
    let now_ms = shared.clock.now().as_millis();
    let written = {
        let folder = folder.clone();
        tokio::task::spawn_blocking(move || write(&disk, &folder, &sealed, through, bytes_max, now_ms))
    };
    let step = written.await.map_err(failed)??;
    let (rows, files) = (step.written.iter().map(|file| file.rows).sum::<u64>(), step.written.len());
    let rewritten = step.gone.len();
    let rest = Arc::new(delta.commit(step).await?);
    let version = rest.version.expect("a commit has a version");
    info!(pool = %pool.id, table = %known.name, through, version, rows, files, rewritten, "rows came to rest");
    show(&tasks, pool.id, &table, rest).await?;
    *desk = Some(delta);
    Ok(version)
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
fn write(
    disk: &Arc<dyn Disk>,
    folder: &std::path::Path,
    table: &Table,
    through: CommitNumber,
    bytes_max: u64,
    now_ms: i64,
) -> Result<Step, TablesError> {
    let pending: Vec<_> = table.layers.iter().filter(|layer| layer.through <= through).cloned().collect();
    let stack = Stack::of(&pending).map_err(failed)?;
    let shape = stack.newest().ok_or_else(|| failed("nothing is pending"))?.shape.clone();
    disk.make_folder(folder).map_err(files::of_disk)?;
    let gone = replaced(&table.rest, &stack, &shape)?;
    let schema = arrow_schema(&shape.schema);
    let stem = format!("{through:020}");
    let mut writer = Writer::new(disk.clone(), folder, stem, schema.clone(), bytes_max);
    match fill(&mut writer, &gone, &stack, &schema) {
        Ok(()) => {}
        Err(error) => {
            writer.discard();
            return Err(error);
        }
    }
    let written: Vec<Written> = writer.finish()?;
    let name = table.name.clone();
    Ok(Step { name, shape, through, gone, written, now_ms })
}

fn fill(writer: &mut Writer, gone: &[RestFile], stack: &Stack, schema: &SchemaRef) -> Result<(), TablesError> {
    for file in gone.iter().filter(|_| !stack.replaces()) {
        files::read(&file.path, schema, stack.hiding_columns(), &mut |batch| {
            let survivors = stack.lets_through(&batch).map_err(failed)?;
            writer.write(&conform(&survivors, schema).map_err(failed)?)?;
            Ok(true)
        })?;
    }
    stack.read(schema, &mut |batch| {
        writer.write(&batch)?;
        Ok(true)
    })
}

/// Returns the files that a flush of these layers replaces: those with rows that
/// they hide, all if a column changed its type, and small ones once there are
/// several.
fn replaced(rest: &Rest, stack: &Stack, shape: &Shape) -> Result<Vec<RestFile>, TablesError> {
    if stack.replaces() || changes_a_type(&rest.shape, shape) {
        return Ok(rest.files.clone());
    }
    let small = |file: &&RestFile| file.bytes < SMALL_FILE_BYTES;
    let folds = rest.files.iter().filter(small).count() >= SMALL_FILES_MAX;
    let mut replaced = Vec::new();
    for file in &rest.files {
        if (folds && small(&file)) || crate::table::hidden_in(file, stack)? > 0 {
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
