//! Runs: rows in motion that lie on disk.
//!
//! A push job that is too big for memory is written to Parquet files as its
//! pieces arrive. They lie beside the log, in the pool's folder `~runs`, where
//! neither a reader of Delta nor a vacuum looks; the log then only names them.
//! They are synced before the record that names them, and removed after the
//! segment that holds the record. What no record names is swept when the
//! folder is opened.
//!
//! A run is never changed. It goes when the last one who holds it lets go, so
//! that whoever began to read it can read on, unless the log still names it.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use arrow::array::{ArrayRef, BooleanArray, RecordBatch, new_null_array};
use arrow::datatypes::{Field, Schema as ArrowSchema, SchemaRef};
use arrow::row::Rows as KeyRows;
use pools::TablesError;
use pools::rows::Schema;
use pools::schema::{Shape, widest};
use tracing::warn;

use crate::arrow_rows::{arrow_type, column_type, position, widened};
use crate::disk::Disk;
use crate::error::failed;
use crate::files::{self, Writer};
use crate::keys::Coder;
use crate::skipping::Choice;

/// A file of a run is closed when it has grown to this; so much of it is in
/// memory while it is written.
const FILE_BYTES_MAX: u64 = 32 * 1024 * 1024;

/// What the rows of a piece are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// To be added, or put in the place of those with the same key.
    Upsert,
    /// Their keys are to be deleted.
    Delete,
}

/// A file of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RunFile {
    /// Its name in the folder.
    pub(crate) name: String,
    /// What its rows are for.
    pub(crate) kind: Kind,
    /// Its columns. Where `_seq` is among them, the rows are numbered by it,
    /// else in the order in which they stand.
    pub(crate) schema: Schema,
    /// Rows in it.
    pub(crate) rows: u64,
    /// Its size.
    pub(crate) bytes: u64,
}

/// Where runs of a pool are made.
#[derive(Clone, Debug)]
pub(crate) struct Yard {
    disk: Arc<dyn Disk>,
    folder: PathBuf,
    /// The number of the next run.
    next: Arc<AtomicU64>,
}

impl Yard {
    /// Prepares to make runs in the folder of a pool.
    pub(crate) fn new(disk: Arc<dyn Disk>, folder: PathBuf, next: Arc<AtomicU64>) -> Self {
        Yard { disk, folder, next }
    }

    /// Begins a run.
    pub(crate) fn begin(&self) -> RunWriter {
        let stem = format!("{:020}", self.next.fetch_add(1, Ordering::Relaxed));
        RunWriter { yard: self.clone(), stem, files: Vec::new(), open: None, writers: 0, is_done: false }
    }

    /// Returns a run that the log names.
    pub(crate) fn named(&self, files: Vec<RunFile>) -> Arc<Run> {
        Arc::new(Run { yard: self.clone(), files, is_kept: AtomicBool::new(true) })
    }

    /// Removes what no record names: what a crash left of jobs that were never
    /// committed, or are long at rest. New runs get higher numbers than any.
    pub(crate) fn sweep(&self, is_named: impl Fn(&str) -> bool) {
        let Ok(entries) = fs::read_dir(&self.folder) else { return };
        for entry in entries.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let number = name.split('-').next().and_then(|number| number.parse::<u64>().ok());
            self.next.fetch_max(number.unwrap_or(0) + 1, Ordering::Relaxed);
            if !is_named(&name) {
                self.remove(&name);
            }
        }
    }

    fn remove(&self, name: &str) {
        let path = self.folder.join(name);
        if let Err(error) = self.disk.remove(&path) {
            warn!(file = %path.display(), error = %error, "a file that nobody needs could not be removed; the next start tries again");
        }
    }
}

/// Writes a run. If it is dropped before its end, nothing of it stays.
#[derive(Debug)]
pub(crate) struct RunWriter {
    yard: Yard,
    stem: String,
    files: Vec<RunFile>,
    open: Option<Open>,
    writers: usize,
    is_done: bool,
}

struct Open {
    kind: Kind,
    schema: Schema,
    writer: Writer,
}

impl std::fmt::Debug for Open {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Open").field("kind", &self.kind).field("schema", &self.schema).finish_non_exhaustive()
    }
}

impl RunWriter {
    /// Adds a batch whose columns are those of the schema.
    pub(crate) fn write(&mut self, kind: Kind, schema: &Schema, batch: &RecordBatch) -> Result<(), TablesError> {
        if batch.num_rows() == 0 {
            return Ok(());
        }
        let goes_on = self.open.as_ref().is_some_and(|open| open.kind == kind && open.schema == *schema);
        if !goes_on {
            self.close()?;
            self.yard.disk.make_folder(&self.yard.folder).map_err(files::of_disk)?;
            let stem = format!("{}-{}", self.stem, self.writers);
            self.writers += 1;
            let disk = self.yard.disk.clone();
            let writer = Writer::new(disk, &self.yard.folder, stem, batch.schema(), FILE_BYTES_MAX);
            self.open = Some(Open { kind, schema: schema.clone(), writer });
        }
        self.open.as_mut().expect("it was opened above").writer.write(batch).map(drop)
    }

    fn close(&mut self) -> Result<(), TablesError> {
        let Some(Open { kind, schema, writer }) = self.open.take() else { return Ok(()) };
        for file in writer.finish()? {
            let schema = schema.clone();
            self.files.push(RunFile { name: file.name, kind, schema, rows: file.rows, bytes: file.bytes });
        }
        Ok(())
    }

    /// Ends the run: a power loss no longer takes it. It stays as long as it
    /// is held; see [`Run::keep`].
    pub(crate) fn finish(mut self) -> Result<Run, TablesError> {
        self.close()?;
        self.is_done = true;
        let files = std::mem::take(&mut self.files);
        Ok(Run { yard: self.yard.clone(), files, is_kept: AtomicBool::new(false) })
    }
}

impl Drop for RunWriter {
    fn drop(&mut self) {
        self.open = None;
        if self.is_done || self.writers == 0 {
            return;
        }
        // By name, since a file that could not be ended is in no list. No
        // other run has names that begin alike.
        let stem = format!("{}-", self.stem);
        let Ok(entries) = fs::read_dir(&self.yard.folder) else { return };
        for entry in entries.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.starts_with(&stem) {
                self.yard.remove(&name);
            }
        }
    }
}

/// A run.
#[derive(Debug)]
pub(crate) struct Run {
    yard: Yard,
    files: Vec<RunFile>,
    is_kept: AtomicBool,
}

/// Where a batch of a run stands.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place<'a> {
    /// The file.
    pub(crate) file: &'a RunFile,
    /// Rows of the run before it.
    pub(crate) row: usize,
    /// Rows to upsert before it.
    pub(crate) upsert: usize,
}

impl Run {
    /// Returns its files.
    pub(crate) fn files(&self) -> &[RunFile] {
        &self.files
    }

    /// Returns how many rows it holds, of both kinds.
    pub(crate) fn rows(&self) -> u64 {
        self.files.iter().map(|file| file.rows).sum()
    }

    /// Returns how many rows of one kind it holds.
    pub(crate) fn rows_of(&self, kind: Kind) -> u64 {
        self.files.iter().filter(|file| file.kind == kind).map(|file| file.rows).sum()
    }

    /// Returns its size on disk.
    pub(crate) fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).sum()
    }

    /// Keeps the files even when nobody holds the run: the log names them, or
    /// may do so.
    pub(crate) fn keep(&self) {
        self.is_kept.store(true, Ordering::Release);
    }

    /// Lets the files go with the last one who holds the run.
    pub(crate) fn let_go(&self) {
        self.is_kept.store(false, Ordering::Release);
    }

    /// Makes one run of several, in order.
    pub(crate) fn joined(yard: &Yard, runs: &[Arc<Run>]) -> Run {
        let files = runs.iter().flat_map(|run| run.files.clone()).collect();
        for run in runs {
            run.keep();
        }
        Run { yard: yard.clone(), files, is_kept: AtomicBool::new(false) }
    }

    /// Checks that the files are there as they were written; the error is
    /// what is wrong with one of them.
    pub(crate) fn check(&self) -> Result<(), String> {
        for file in &self.files {
            let bytes = fs::metadata(self.path(file)).map_err(|error| format!("run \"{}\": {error}", file.name))?.len();
            if bytes != file.bytes {
                return Err(format!("run \"{}\" has {bytes} bytes, but {} were written", file.name, file.bytes));
            }
        }
        Ok(())
    }

    fn path(&self, file: &RunFile) -> PathBuf {
        self.yard.folder.join(&file.name)
    }

    /// Reads the wanted columns of one file, batch by batch.
    pub(crate) fn read_file(
        &self,
        file: &RunFile,
        wanted: &SchemaRef,
        take: &mut dyn FnMut(RecordBatch) -> Result<bool, TablesError>,
    ) -> Result<(), TablesError> {
        files::read(&self.path(file), wanted, &[], Choice::All, take)
    }

    /// Reads the wanted columns, and others besides, as far as the files have
    /// them, batch by batch, until `take` says that it has enough.
    pub(crate) fn read(
        &self,
        kinds: &[Kind],
        wanted: &SchemaRef,
        besides: &[String],
        take: &mut dyn FnMut(Place<'_>, RecordBatch) -> Result<bool, TablesError>,
    ) -> Result<(), TablesError> {
        let (mut row, mut upsert) = (0, 0);
        for file in &self.files {
            let (mut row_in_file, mut goes_on) = (0, true);
            let advance = |rows| if file.kind == Kind::Upsert { rows } else { 0 };
            if kinds.contains(&file.kind) {
                files::read(&self.path(file), wanted, besides, Choice::All, &mut |batch| {
                    let rows = batch.num_rows();
                    let place = Place { file, row: row + row_in_file, upsert: upsert + advance(row_in_file) };
                    row_in_file += rows;
                    goes_on = take(place, batch)?;
                    Ok(goes_on)
                })?;
            }
            if !goes_on {
                break;
            }
            row += file.rows as usize;
            upsert += advance(file.rows as usize);
        }
        Ok(())
    }

    /// Shows the keys of all rows, in order, in the types of a shape, and
    /// which of them it can hold: a key that it cannot is on no row of the
    /// table.
    pub(crate) fn read_keys(
        &self,
        shape: &Shape,
        coder: &Coder,
        take: &mut dyn FnMut(Kind, &KeyRows, &BooleanArray) -> Result<(), TablesError>,
    ) -> Result<(), TablesError> {
        let nothing = Arc::new(ArrowSchema::empty());
        self.read(&[Kind::Upsert, Kind::Delete], &nothing, &shape.keys, &mut |place, batch| {
            let (keys, fits) = keys_of(&batch, shape, coder)?;
            take(place.file.kind, &keys, &fits)?;
            Ok(true)
        })
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        if !self.is_kept.load(Ordering::Acquire) {
            for file in &self.files {
                self.yard.remove(&file.name);
            }
        }
    }
}

fn keys_of(batch: &RecordBatch, shape: &Shape, coder: &Coder) -> Result<(KeyRows, BooleanArray), TablesError> {
    let mut fits = vec![true; batch.num_rows()];
    let mut arrays: Vec<ArrayRef> = Vec::new();
    for (name, to) in shape.keys.iter().zip(coder.types()) {
        let place = position(batch.schema_ref(), name).ok_or_else(|| failed(format!("a run lacks key \"{name}\"")))?;
        let column = batch.column(place);
        if widest(column_type(column.data_type()), *to) == *to {
            arrays.push(widened(column, &arrow_type(*to)).map_err(failed)?);
            continue;
        }
        // Only deletes come here: upserts have widened the table.
        for (row, fits) in fits.iter_mut().enumerate() {
            *fits &= column.is_null(row);
        }
        arrays.push(new_null_array(&arrow_type(*to), batch.num_rows()));
    }
    Ok((coder.keys_of(&arrays).map_err(failed)?, fits.into()))
}

/// Returns columns as Arrow lays them out, without adding any.
pub(crate) fn plain_schema(schema: &Schema) -> SchemaRef {
    let fields = schema.columns.iter().map(|column| Field::new(&column.name, arrow_type(column.column_type), true));
    Arc::new(ArrowSchema::new(fields.collect::<Vec<_>>()))
}

/// Returns the folder of a pool's runs. No table's folder can have this name.
pub(crate) fn folder_in(pool: &Path) -> PathBuf {
    pool.join("~runs")
}
