//! Parquet files at rest: writing them, and reading what is wanted of them.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use parquet::arrow::arrow_writer::{ArrowWriter, ArrowWriterOptions};
use parquet::basic::Compression;
use parquet::errors::ParquetError;
use parquet::file::metadata::ParquetMetaData;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::statistics::Statistics;
use pools::TablesError;
use serde_json::{Map, Value as Json, json};

use crate::disk::{Disk, DiskFile, is_full};
use crate::error::failed;

const BATCH_ROWS: usize = 8 * 1024;

/// Reads the wanted columns of a file, and others besides, as far as it has
/// them, batch by batch, until `take` says that it has enough.
pub(crate) fn read(
    path: &Path,
    wanted: &SchemaRef,
    besides: &[String],
    take: &mut dyn FnMut(RecordBatch) -> Result<bool, TablesError>,
) -> Result<(), TablesError> {
    let unreadable = |detail: String| failed(format!("\"{}\" cannot be read: {detail}", path.display()));
    let file = File::open(path).map_err(|error| unreadable(error.to_string()))?;
    let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    let builder = ParquetRecordBatchReaderBuilder::try_new_with_options(file, options)
        .map_err(|error| unreadable(error.to_string()))?;
    let is_wanted = |name: &str| {
        let mut names = wanted.fields().iter().map(|field| field.name()).chain(besides);
        names.any(|wanted| wanted.eq_ignore_ascii_case(name))
    };
    let fields = builder.schema().fields().iter().enumerate();
    let places = fields.filter(|(_, field)| is_wanted(field.name())).map(|(place, _)| place);
    let mask = ProjectionMask::roots(builder.parquet_schema(), places.collect::<Vec<_>>());
    let reader = builder.with_projection(mask).with_batch_size(BATCH_ROWS).build();
    for batch in reader.map_err(|error| unreadable(error.to_string()))? {
        if !take(batch.map_err(|error| unreadable(error.to_string()))?)? {
            break;
        }
    }
    Ok(())
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
}

impl Writer {
    /// Prepares to write files whose names begin with `stem`.
    pub(crate) fn new(disk: Arc<dyn Disk>, folder: &Path, stem: String, schema: SchemaRef, bytes_max: u64) -> Self {
        Writer { disk, folder: folder.to_owned(), stem, schema, bytes_max, open: None, written: Vec::new() }
    }

    /// Adds a batch of the writer's schema.
    pub(crate) fn write(&mut self, batch: &RecordBatch) -> Result<(), TablesError> {
        if batch.num_rows() == 0 {
            return Ok(());
        }
        let open = match &mut self.open {
            Some(open) => open,
            closed => closed.insert(start(&*self.disk, &self.folder, &self.stem, self.written.len(), &self.schema)?),
        };
        open.writer.write(batch).map_err(of_parquet)?;
        let bytes = open.writer.bytes_written() + open.writer.in_progress_size();
        if bytes as u64 >= self.bytes_max { self.close() } else { Ok(()) }
    }

    fn close(&mut self) -> Result<(), TablesError> {
        let Some(mut open) = self.open.take() else { return Ok(()) };
        let metadata = open.writer.finish().map_err(of_parquet)?;
        let bytes = open.writer.bytes_written() as u64;
        open.writer.inner_mut().finish().map_err(of_disk)?;
        let rows = metadata.file_metadata().num_rows() as u64;
        let stats = stats_of(&metadata, &self.schema);
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
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .build();
    // Without Arrow's own schema in it a file says in Parquet's words what it
    // holds, and every reader sees the same.
    let options = ArrowWriterOptions::new().with_properties(properties).with_skip_arrow_metadata(true);
    let sink = Sink { file, buffer: Vec::new() };
    let writer = ArrowWriter::try_new_with_options(sink, schema.clone(), options).map_err(of_parquet)?;
    Ok(Open { path, name, writer })
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

/// Returns a file's statistics in the form of the Delta log.
fn stats_of(metadata: &ParquetMetaData, schema: &SchemaRef) -> String {
    let (mut smallest, mut largest, mut nulls) = (Map::new(), Map::new(), Map::new());
    for (place, field) in schema.fields().iter().enumerate() {
        let chunks: Vec<_> = metadata.row_groups().iter().map(|group| group.column(place).statistics()).collect();
        let count: Option<u64> = chunks.iter().map(|chunk| chunk.and_then(Statistics::null_count_opt)).sum();
        if let Some(count) = count {
            nulls.insert(field.name().clone(), count.into());
        }
        // The log may only say what holds for every value: one row group
        // without bounds, and nothing is said.
        let bounds: Option<Vec<_>> = chunks.into_iter().map(|chunk| chunk.and_then(bounds_of)).collect();
        let Some(bounds) = bounds.filter(|bounds| !bounds.is_empty()) else { continue };
        let (Some(low), Some(high)) = (
            bounds.iter().map(|(low, _)| low.clone()).reduce(Bound::smaller),
            bounds.iter().map(|(_, high)| high.clone()).reduce(Bound::larger),
        ) else {
            continue;
        };
        let is_time = matches!(field.data_type(), arrow::datatypes::DataType::Timestamp(..));
        if let (Some(low), Some(high)) = (low.json(is_time, false), high.json(is_time, true)) {
            smallest.insert(field.name().clone(), low);
            largest.insert(field.name().clone(), high);
        }
    }
    let rows = metadata.file_metadata().num_rows();
    json!({ "numRecords": rows, "minValues": smallest, "maxValues": largest, "nullCount": nulls }).to_string()
}

#[derive(Clone, Debug)]
enum Bound {
    Integer(i64),
    Float(f64),
    Text(String),
}

/// Texts longer than this are left out of the statistics.
const BOUND_BYTES_MAX: usize = 32;

fn bounds_of(statistics: &Statistics) -> Option<(Bound, Bound)> {
    match statistics {
        Statistics::Int64(values) => Some((Bound::Integer(*values.min_opt()?), Bound::Integer(*values.max_opt()?))),
        Statistics::Double(values) => {
            let (low, high) = (*values.min_opt()?, *values.max_opt()?);
            (low.is_finite() && high.is_finite()).then_some((Bound::Float(low), Bound::Float(high)))
        }
        Statistics::ByteArray(values) if values.min_is_exact() && values.max_is_exact() => {
            let text = |bytes: &[u8]| {
                let text = std::str::from_utf8(bytes).ok()?;
                (text.len() <= BOUND_BYTES_MAX).then(|| text.to_owned())
            };
            Some((Bound::Text(text(values.min_opt()?.data())?), Bound::Text(text(values.max_opt()?.data())?)))
        }
        _ => None,
    }
}

impl Bound {
    fn is_smaller_than(&self, other: &Bound) -> bool {
        match (self, other) {
            (Bound::Integer(one), Bound::Integer(other)) => one < other,
            (Bound::Float(one), Bound::Float(other)) => one < other,
            (Bound::Text(one), Bound::Text(other)) => one < other,
            _ => false,
        }
    }

    fn smaller(self, other: Bound) -> Bound {
        if other.is_smaller_than(&self) { other } else { self }
    }

    fn larger(self, other: Bound) -> Bound {
        if self.is_smaller_than(&other) { other } else { self }
    }

    /// Times are written in milliseconds, outward, since the log knows no
    /// finer ones; those that no calendar has are not written at all.
    fn json(self, is_time: bool, upward: bool) -> Option<Json> {
        match self {
            Bound::Integer(micros) if is_time => {
                let millis = micros.div_euclid(1_000) + i64::from(upward && micros.rem_euclid(1_000) > 0);
                let text = base::Timestamp::from_millis(millis).to_string();
                text.ends_with('Z').then(|| text.into())
            }
            Bound::Integer(value) => Some(value.into()),
            Bound::Float(value) => Some(value.into()),
            Bound::Text(text) => Some(text.into()),
        }
    }
}
