//! What an import's push job reads, and how far it has come.
//!
//! The job itself is one like any other: claimed, staged, committed and
//! recorded by `execution`. Only its reader differs.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::pieces::{self, ImportReading};
use super::source::BytesRead;
use super::{Format, LogFile};
use crate::csv::{self, ChunkFile, Refusal};
use crate::execution::Failure;
use crate::push_job::{Chunk, PushJob, PushJobSpec};
use crate::rows::{Column, Rows, Schema};
use crate::{Mode, Piece, Pools, PushJobId};

/// Pieces that may wait for the tables while the next one is read.
const PIECES_AHEAD: usize = 1;

/// How far the jobs of imports have come that run in this process.
#[derive(Default)]
pub(crate) struct Progress(Mutex<HashMap<PushJobId, JobProgress>>);

#[derive(Clone, Default)]
struct JobProgress {
    read: BytesRead,
    rows: Arc<AtomicU64>,
    /// How often the files are read.
    passes: u64,
}

impl Progress {
    /// Returns bytes and rows that a job has read; none if it does not run.
    pub(crate) fn of(&self, job: PushJobId) -> Option<(u64, u64)> {
        let known = self.0.lock().get(&job).cloned()?;
        Some((known.read.get() / known.passes.max(1), known.rows.load(Ordering::Relaxed)))
    }

    fn begin(&self, job: PushJobId, passes: u64) -> Begun<'_> {
        let progress = JobProgress { passes, ..JobProgress::default() };
        self.0.lock().insert(job, progress.clone());
        Begun { all: self, job, progress }
    }
}

/// A job that is being read, until it is dropped.
struct Begun<'a> {
    all: &'a Progress,
    job: PushJobId,
    progress: JobProgress,
}

impl Drop for Begun<'_> {
    fn drop(&mut self) {
        self.all.0.lock().remove(&self.job);
    }
}

impl Pools {
    /// Reads the files of an import's job and stages the rows.
    pub(crate) async fn stage_import(
        &self,
        job: &PushJob,
        chunks: &[Chunk],
        stop: &CancellationToken,
    ) -> Result<Vec<String>, Failure> {
        let Some(reading) = job.spec.import.clone() else { return Ok(Vec::new()) };
        let schema = match job.spec.mode() {
            Mode::Replace => None,
            Mode::Append | Mode::Upsert { .. } => self.tables.columns(job.pool, &job.spec.target).await?,
        };
        // A log was surveyed when it came; CSV is guessed over all its rows.
        let begun = self.progress.begin(job.id, if reading.format == Format::Csv { 2 } else { 1 });
        let (read, rows) = (begun.progress.read.clone(), begun.progress.rows.clone());
        let files: Vec<_> = chunks.iter().map(|chunk| (chunk.clone(), self.spool.path(chunk.id))).collect();
        let (spec, stop) = (job.spec.clone(), stop.clone());
        let (pieces, mut arriving) = mpsc::channel(PIECES_AHEAD);
        let reader = tokio::task::spawn_blocking(move || {
            let mut take = |piece: Piece| {
                if let Piece::Upsert(piece) = &piece {
                    rows.fetch_add(piece.len() as u64, Ordering::Relaxed);
                }
                if stop.is_cancelled() || pieces.blocking_send(piece).is_err() {
                    return Err(Refusal::Stopped);
                }
                Ok(())
            };
            if reading.format == Format::Csv {
                let files = files.into_iter().map(|(chunk, path)| ChunkFile {
                    kind: chunk.kind,
                    name: chunk.file_name,
                    path,
                    read: read.clone(),
                });
                return load_csv(&reading, &spec, &files.collect::<Vec<_>>(), schema.as_ref(), &mut take);
            }
            let files = files.into_iter().map(|(chunk, path)| LogFile { name: chunk.file_name, path });
            pieces::load(&reading, &files.collect::<Vec<_>>(), &read, &mut take)
        });
        while let Some(piece) = arriving.recv().await {
            self.tables.stage(job.pool, job.id, piece).await?;
        }
        match reader.await {
            Ok(Ok(notes)) => Ok(notes),
            Ok(Err(Refusal::Rows(sentence))) => Err(Failure::Refused(sentence)),
            Err(error) if error.is_panic() => {
                tracing::error!(push_job.id = %job.id, "the reading of an import panicked");
                Err(Failure::Refused("the files could not be read: this is a fault of Loopwright".into()))
            }
            Ok(Err(Refusal::Stopped)) | Err(_) => Err(Failure::Interrupted),
        }
    }
}

/// Reads CSV under the names that the file has, and hands out rows under those
/// that the table has.
fn load_csv(
    reading: &ImportReading,
    spec: &PushJobSpec,
    files: &[ChunkFile],
    table: Option<&Schema>,
    take: &mut dyn FnMut(Piece) -> Result<(), Refusal>,
) -> Result<Vec<String>, Refusal> {
    let mut spec = spec.clone();
    for key in &mut spec.keys {
        *key = name_in_file(reading, key).unwrap_or(key).to_owned();
    }
    let table = table.map(|table| {
        let columns = table.columns.iter().filter_map(|column| {
            let name = name_in_file(reading, &column.name)?.to_owned();
            Some(crate::rows::ColumnSchema { name, column_type: column.column_type })
        });
        Schema { columns: columns.collect() }
    });
    csv::load(&spec, files, table.as_ref(), |piece| match piece {
        Piece::Upsert(rows) => take(Piece::Upsert(renamed(reading, &rows))),
        other => take(other),
    })
}

/// Returns the name that a column of the table has in the file; `None` if the
/// file has another column of that name.
fn name_in_file<'a>(reading: &'a ImportReading, target: &'a str) -> Option<&'a str> {
    let is_target = |name: &Option<String>| name.as_ref().is_some_and(|name| name.eq_ignore_ascii_case(target));
    if let Some(column) = reading.columns.iter().find(|column| is_target(&column.target)) {
        return Some(&column.name);
    }
    let taken = reading.columns.iter().any(|column| column.name.eq_ignore_ascii_case(target));
    (!taken).then_some(target)
}

fn renamed(reading: &ImportReading, rows: &Rows) -> Rows {
    let mut columns: Vec<Column> = Vec::new();
    for column in rows.columns() {
        let choice = reading.columns.iter().find(|choice| choice.name.eq_ignore_ascii_case(&column.name));
        match choice.map(|choice| &choice.target) {
            Some(None) => {}
            Some(Some(target)) => columns.push(Column { name: target.clone(), ..column.clone() }),
            // Another file of the import may bring columns of its own.
            None => columns.push(column.clone()),
        }
    }
    Rows::new(columns)
}
