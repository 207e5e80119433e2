//! Rows on their way out, as bytes.
//!
//! A download never stands in memory as a whole: batches are written as they
//! come, and the engine waits while the reader does.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::error::ArrowError;
use base::sql::{SqlColumn, SqlDownload, SqlError, SqlForm};
use bytes::Bytes;
use datafusion::arrow::ipc::writer::StreamWriter;
use futures::{Stream, StreamExt as _};
use serde_json::Value as Json;
use tokio::sync::{mpsc, oneshot};
use tokio_util::task::AbortOnDropHandle;

use crate::asking::Begun;
use crate::query::{Answering, json_rows, of_engine};

/// A reader who takes nothing for so long has gone.
pub(crate) const READER_PATIENCE: Duration = Duration::from_mins(5);

/// Sends the rows of a statement; `ready` hears whether it could begin.
pub(crate) async fn send(
    mut begun: Begun,
    mut answering: Answering,
    form: SqlForm,
    ready: oneshot::Sender<Result<(), SqlError>>,
    pieces: mpsc::Sender<Result<Bytes, SqlError>>,
) {
    let mut writer = match Writer::new(form, &answering) {
        Ok(writer) => writer,
        Err(error) => {
            let _ = ready.send(Err(error));
            return;
        }
    };
    let mut ready = Some(ready);
    loop {
        let piece = match begun.work.on(answering.stream.next()).await {
            Ok(Some(batch)) => batch.map_err(of_engine).and_then(|batch| writer.write(&batch)),
            Ok(None) => break,
            Err(error) => Err(error),
        };
        match (piece, ready.take()) {
            (Err(error), Some(ready)) => {
                let _ = ready.send(Err(error));
                return;
            }
            (piece, waiting) => {
                let failed = piece.is_err();
                if let Some(ready) = waiting {
                    let _ = ready.send(Ok(()));
                }
                let sent = tokio::time::timeout(READER_PATIENCE, pieces.send(piece)).await;
                if failed || !matches!(sent, Ok(Ok(()))) {
                    return;
                }
            }
        }
    }
    if let Some(ready) = ready {
        let _ = ready.send(Ok(()));
    }
    let _ = tokio::time::timeout(READER_PATIENCE, pieces.send(writer.finish())).await;
}

/// What comes out of the other end; dropping it stops the statement.
pub(crate) fn received(pieces: mpsc::Receiver<Result<Bytes, SqlError>>, task: AbortOnDropHandle<()>) -> SqlDownload {
    Box::pin(Received { pieces, _task: task })
}

struct Received {
    pieces: mpsc::Receiver<Result<Bytes, SqlError>>,
    _task: AbortOnDropHandle<()>,
}

impl Stream for Received {
    type Item = Result<Bytes, SqlError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.pieces.poll_recv(context)
    }
}

enum Writer {
    /// Holds the header until the first rows come.
    Csv(Vec<u8>),
    Arrow(SchemaRef, Box<StreamWriter<Vec<u8>>>),
}

impl Writer {
    fn new(form: SqlForm, answering: &Answering) -> Result<Self, SqlError> {
        match form {
            SqlForm::Csv => {
                let mut out = Vec::new();
                let names = answering.columns.iter().map(|column| Json::from(column.name.as_str()));
                write_line(&names.collect::<Vec<_>>(), &mut out);
                Ok(Writer::Csv(out))
            }
            SqlForm::Arrow => {
                let schema = outward(&answering.stream.schema(), &answering.columns);
                let writer = StreamWriter::try_new(Vec::new(), &schema).map_err(of_arrow)?;
                Ok(Writer::Arrow(schema, Box::new(writer)))
            }
        }
    }

    fn write(&mut self, batch: &RecordBatch) -> Result<Bytes, SqlError> {
        match self {
            Writer::Csv(out) => {
                for row in json_rows(batch)? {
                    write_line(&row, out);
                }
                Ok(std::mem::take(out).into())
            }
            Writer::Arrow(schema, writer) => {
                let batch = in_schema(batch, schema).map_err(of_arrow)?;
                writer.write(&batch).map_err(of_arrow)?;
                Ok(std::mem::take(writer.get_mut()).into())
            }
        }
    }

    fn finish(self) -> Result<Bytes, SqlError> {
        match self {
            Writer::Csv(out) => Ok(out.into()),
            Writer::Arrow(_, mut writer) => {
                writer.finish().map_err(of_arrow)?;
                Ok(std::mem::take(writer.get_mut()).into())
            }
        }
    }
}

/// Columns under the names of the answer, in types that every reader knows.
pub(crate) fn outward(schema: &SchemaRef, columns: &[SqlColumn]) -> SchemaRef {
    let fields = schema.fields().iter().zip(columns).map(|(field, column)| {
        let data_type = match field.data_type() {
            DataType::Utf8View => DataType::Utf8,
            DataType::BinaryView => DataType::Binary,
            other => other.clone(),
        };
        Field::new(&column.name, data_type, true)
    });
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

pub(crate) fn in_schema(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, ArrowError> {
    let columns = batch.columns().iter().zip(schema.fields());
    let columns: Result<Vec<ArrayRef>, _> = columns.map(|(column, field)| cast(column, field.data_type())).collect();
    let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(schema.clone(), columns?, &options)
}

pub(crate) fn of_arrow(error: ArrowError) -> SqlError {
    of_engine(error.into())
}

/// Writes a line of CSV. Nothing is an empty field, an empty text is `""`, so
/// that both come back as they were.
pub(crate) fn write_line(cells: &[Json], out: &mut Vec<u8>) {
    for (place, cell) in cells.iter().enumerate() {
        if place > 0 {
            out.push(b',');
        }
        match cell {
            // A line with nothing on it would be no line.
            Json::Null if cells.len() == 1 => out.extend(b"\"\""),
            Json::Null => {}
            Json::String(text) => write_text(text, out),
            Json::Array(_) | Json::Object(_) => write_text(&cell.to_string(), out),
            other => out.extend(other.to_string().bytes()),
        }
    }
    out.push(b'\n');
}

fn write_text(text: &str, out: &mut Vec<u8>) {
    let plain =
        !text.is_empty() && !text.contains([',', '"', '\n', '\r']) && !text.starts_with(' ') && !text.ends_with(' ');
    if plain {
        out.extend(text.bytes());
        return;
    }
    out.push(b'"');
    for (place, piece) in text.split('"').enumerate() {
        if place > 0 {
            out.extend(b"\"\"");
        }
        out.extend(piece.bytes());
    }
    out.push(b'"');
}
