//! Parquet files at rest: writing them, and reading what is wanted of them.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use parquet::arrow::arrow_writer::{ArrowWriter, ArrowWriterOptions};
use parquet::basic::Compression;
use parquet::errors::ParquetError;
use parquet::file::metadata::PageIndexPolicy;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use pools::TablesError;

use crate::bounds::{note_strange, stats_of};
use crate::disk::{Disk, DiskFile, is_full};
use crate::error::failed;
use crate::skipping::{Choice, narrow};

/// Rows that are read at once, and rows of a page: who looks for a key reads a
/// page.
pub(crate) const BATCH_ROWS: usize = 8 * 1024;

/// Rows of a row group.
const GROUP_ROWS: usize = 128 * 1024;

/// Reads the wanted columns of a file, and others besides, as far as it has
/// them, batch by batch, until `take` says that it has enough.
pub(crate) fn read(
    path: &Path,
    wanted: &SchemaRef,
    besides: &[String],
    choice: Choice<'_>,
    take: &mut dyn FnMut(RecordBatch) -> Result<bool, TablesError>,
) -> Result<(), TablesError> {
    for batch in Batches::open(path, wanted, besides, choice)? {
        if !take(batch?)? {
            break;
        }
    }
    Ok(())
}

/// The batches of a file, one after the other.
pub(crate) struct Batches {
    path: PathBuf,
    reader: ParquetRecordBatchReader,
}

impl Batches {
    /// Opens a file to read the wanted columns of it, and others besides, as
    /// far as it has them. What is not of the choice may be passed over.
    pub(crate) fn open(
        path: &Path,
        wanted: &SchemaRef,
        besides: &[String],
        choice: Choice<'_>,
    ) -> Result<Self, TablesError> {
        let bad = |error: ParquetError| unreadable(path, &error.to_string());
        let file = File::open(path).map_err(|error| unreadable(path, &error.to_string()))?;
        let pages = PageIndexPolicy::from(matches!(choice, Choice::Keys(_)));
        let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true).with_page_index_policy(pages);
        let builder = ParquetRecordBatchReaderBuilder::try_new_with_options(file, options).map_err(bad)?;
        let is_wanted = |name: &str| {
            let mut names = wanted.fields().iter().map(|field| field.name()).chain(besides);
            names.any(|wanted| wanted.eq_ignore_ascii_case(name))
        };
        let fields = builder.schema().fields().iter().enumerate();
        let places = fields.filter(|(_, field)| is_wanted(field.name())).map(|(place, _)| place);
        let mask = ProjectionMask::roots(builder.parquet_schema(), places.collect::<Vec<_>>());
        let builder = narrow(builder, choice).map_err(bad)?;
        let reader = builder.with_projection(mask).with_batch_size(BATCH_ROWS).build().map_err(bad)?;
        Ok(Batches { path: path.to_owned(), reader })
    }
}

impl Iterator for Batches {
    type Item = Result<RecordBatch, TablesError>;

    fn next(&mut self) -> Option<Self::Item> {
        let batch = self.reader.next()?;
        Some(batch.map_err(|error| unreadable(&self.path, &error.to_string())))
    }
}

fn unreadable(path: &Path, detail: &str) -> TablesError {
    failed(format!("\"{}\" cannot be read: {detail}", path.display()))
}

/// A file that was written and synced, but is not part of a table yet.
#[derive(Clone, Debug)]
pub(crate) struct Written {
    pub(crate) path: PathBuf,
    pub(crate) name: String,
    pub(crate) rows: u64,
    pub(crate) bytes: u64,
    /// Count, smallest and largest values in the form of the Delta log.
    pub(crate) stats: String,
}

/// Writes batches to files of a bounded size in a table's folder.
pub(crate) struct Writer {
    disk: Arc<dyn Disk>,
    folder: PathBuf,
    stem: String,
    schema: SchemaRef,
    bytes_max: u64,
    open: Option<Open>,
    written: Vec<Written>,
}

struct Open {
    path: PathBuf,
    name: String,
    writer: ArrowWriter<Sink>,
    /// Columns of which no bounds can be told.
    strange: Vec<bool>,
}

impl Writer {
    /// Prepares to write files whose names begin with `stem`.
    pub(crate) fn new(disk: Arc<dyn Disk>, folder: &Path, stem: String, schema: SchemaRef, bytes_max: u64) -> Self {
        Writer { disk, folder: folder.to_owned(), stem, schema, bytes_max, open: None, written: Vec::new() }
    }

    /// Adds a batch of the writer's schema and returns how many bytes went on
    /// their way to the disk.
    pub(crate) fn write(&mut self, batch: &RecordBatch) -> Result<u64, TablesError> {
        if batch.num_rows() == 0 {
            return Ok(0);
        }
        let open = match &mut self.open {
            Some(open) => open,
            closed => closed.insert(start(&*self.disk, &self.folder, &self.stem, self.written.len(), &self.schema)?),
        };
        let before = open.writer.bytes_written() + open.writer.in_progress_size();
        note_strange(batch, &mut open.strange);
        open.writer.write(batch).map_err(of_parquet)?;
        // The last pages and the footer are still to come.
        let bytes = open.writer.bytes_written() + open.writer.in_progress_size();
        let is_enough = bytes as u64 >= self.bytes_max - self.bytes_max / 16;
        if is_enough {
            self.close()?;
        }
        Ok(bytes.saturating_sub(before) as u64)
    }

    fn close(&mut self) -> Result<(), TablesError> {
        let Some(mut open) = self.open.take() else { return Ok(()) };
        let metadata = open.writer.finish().map_err(of_parquet)?;
        let bytes = open.writer.bytes_written() as u64;
        open.writer.inner_mut().finish().map_err(of_disk)?;
        let rows = metadata.file_metadata().num_rows() as u64;
        let stats = stats_of(&metadata, &self.schema, &open.strange);
        self.written.push(Written { path: open.path, name: open.name, rows, bytes, stats });
        Ok(())
    }

    /// Ends the last file, makes the names last and returns what was written.
    pub(crate) fn finish(mut self) -> Result<Vec<Written>, TablesError> {
        self.close()?;
        self.disk.sync_folder(&self.folder).map_err(of_disk)?;
        Ok(std::mem::take(&mut self.written))
    }

    /// Removes what was written so far, for a flush that cannot go on.
    pub(crate) fn discard(mut self) {
        let open = self.open.take().map(|open| open.path);
        for path in self.written.iter().map(|file| file.path.clone()).chain(open) {
            // What stays behind is not part of any table; vacuum finds it.
            let _ = self.disk.remove(&path);
        }
    }
}

/// Starts a file under the first free name. A name may be taken by a flush
/// that a crash stopped, or by one whose outcome is not known.
fn start(disk: &dyn Disk, folder: &Path, stem: &str, count: usize, schema: &SchemaRef) -> Result<Open, TablesError> {
    let mut place = count;
    let (path, name, file) = loop {
        let name = format!("{stem}-{place}.parquet");
        let path = folder.join(&name);
        match disk.create(&path) {
            Ok(file) => break (path, name, file),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => place += 1,
            Err(error) => return Err(of_disk(error)),
        }
    };
    let properties = WriterProperties::builder()
        .set_compression(Compression::SNAPPY)
        .set_created_by("loopwright".into())
        .set_statistics_enabled(EnabledStatistics::Page)
        .set_max_row_group_row_count(Some(GROUP_ROWS))
        .set_data_page_row_count_limit(BATCH_ROWS)
        .build();
    // Without Arrow's own schema in it a file says in Parquet's words what it
    // holds, and every reader sees the same.
    let options = ArrowWriterOptions::new().with_properties(properties).with_skip_arrow_metadata(true);
    let sink = Sink { file, buffer: Vec::new() };
    let writer = ArrowWriter::try_new_with_options(sink, schema.clone(), options).map_err(of_parquet)?;
    let strange = vec![false; schema.fields().len()];
    Ok(Open { path, name, writer, strange })
}

/// Gathers small writes into large ones.
struct Sink {
    file: Box<dyn DiskFile>,
    buffer: Vec<u8>,
}

const SINK_BYTES: usize = 1024 * 1024;

impl Sink {
    fn finish(&mut self) -> io::Result<()> {
        self.flush()?;
        self.file.sync()
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= SINK_BYTES {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let buffer = std::mem::take(&mut self.buffer);
        if buffer.is_empty() { Ok(()) } else { self.file.write(&buffer) }
    }
}

/// Returns what a failing disk means to a caller.
pub(crate) fn of_disk(error: io::Error) -> TablesError {
    if is_full(&error) { TablesError::Full } else { failed(error) }
}

/// Returns what a failing Parquet writer means; it may hide a failing disk.
fn of_parquet(error: ParquetError) -> TablesError {
    match error {
        ParquetError::External(source) => match source.downcast::<io::Error>() {
            Ok(error) => of_disk(*error),
            Err(source) => failed(source),
        },
        other => failed(other),
    }
}
