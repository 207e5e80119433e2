//! Rows on their way out in pieces that each stand for themselves.
//!
//! A piece is a chunk of an answer as it goes over the wire: so many rows, in
//! one of three forms. Batches of the engine are cut where a piece is full.

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use base::sql::{SqlColumn, SqlError};
use datafusion::arrow::ipc::writer::StreamWriter;
use futures::StreamExt as _;
use serde_json::Value as Json;
use tokio::sync::{mpsc, oneshot};

use crate::asking::Begun;
use crate::download::{READER_PATIENCE, in_schema, of_arrow, outward, write_line};
use crate::query::{Answering, json_rows, of_engine};
use crate::reading::{Form, Limits};

/// Some rows of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// How many.
    pub rows: u64,
    /// In the form that was asked for.
    pub bytes: Vec<u8>,
    /// There were more rows behind these than the limits let through.
    pub truncated: bool,
}

/// Rows that are looked at in one go, so that pieces end near their size.
const SLICE_ROWS: usize = 1_024;

/// Sends the rows of a statement; `ready` hears whether it could begin, and
/// that is known when the first rows are there.
pub(crate) async fn send(
    mut begun: Begun,
    mut answering: Answering,
    form: Form,
    limits: Limits,
    ready: oneshot::Sender<Result<(), SqlError>>,
    pieces: mpsc::Sender<Result<Piece, SqlError>>,
) {
    let schema = outward(&answering.stream.schema(), &answering.columns);
    let mut cutter = Cutter { form, limits, schema, columns: answering.columns.clone(), open: None, rows: 0, bytes: 0 };
    let mut ready = Some(ready);
    loop {
        let batch = match begun.work.on(answering.stream.next()).await {
            Ok(Some(batch)) => batch.map_err(of_engine),
            Ok(None) => break,
            Err(error) => Err(error),
        };
        let cut = batch.and_then(|batch| cutter.cut(&batch));
        let (full, is_over) = match (cut, ready.take()) {
            (Ok(cut), waiting) => {
                if let Some(waiting) = waiting {
                    let _ = waiting.send(Ok(()));
                }
                cut
            }
            (Err(error), Some(waiting)) => {
                let _ = waiting.send(Err(error));
                return;
            }
            (Err(error), None) => {
                let _ = tokio::time::timeout(READER_PATIENCE, pieces.send(Err(error))).await;
                return;
            }
        };
        for piece in full {
            if !matches!(tokio::time::timeout(READER_PATIENCE, pieces.send(Ok(piece))).await, Ok(Ok(()))) {
                return;
            }
        }
        if is_over {
            return;
        }
    }
    if let Some(ready) = ready {
        let _ = ready.send(Ok(()));
    }
    match cutter.close(false) {
        Ok(None) => {}
        Ok(Some(piece)) => drop(tokio::time::timeout(READER_PATIENCE, pieces.send(Ok(piece))).await),
        Err(error) => drop(tokio::time::timeout(READER_PATIENCE, pieces.send(Err(error))).await),
    }
}

struct Cutter {
    form: Form,
    limits: Limits,
    schema: SchemaRef,
    columns: Vec<SqlColumn>,
    open: Option<Open>,
    /// Rows and bytes of all pieces so far.
    rows: u64,
    bytes: u64,
}

struct Open {
    rows: u64,
    body: Body,
}

enum Body {
    Text(Vec<u8>),
    Arrow(Box<StreamWriter<Vec<u8>>>),
}

impl Body {
    fn length(&self) -> usize {
        match self {
            Body::Text(text) => text.len(),
            Body::Arrow(writer) => writer.get_ref().len(),
        }
    }
}

impl Cutter {
    /// Takes a batch in, and returns the pieces that are full, and whether
    /// nothing more is wanted.
    fn cut(&mut self, batch: &RecordBatch) -> Result<(Vec<Piece>, bool), SqlError> {
        let mut full = Vec::new();
        let mut at = 0;
        while at < batch.num_rows() {
            let in_piece = self.open.as_ref().map_or(0, |open| open.rows);
            let room = (self.limits.rows_max - self.rows).min(self.limits.piece_rows.max(1) - in_piece);
            if self.rows >= self.limits.rows_max || self.bytes >= self.limits.bytes_max {
                // An answer without a row says of itself that it was cut.
                full.push(match self.close(true)? {
                    Some(piece) => piece,
                    None => Piece { rows: 0, bytes: Vec::new(), truncated: true },
                });
                return Ok((full, true));
            }
            let room = usize::try_from(room).unwrap_or(usize::MAX);
            let length = room.min(SLICE_ROWS).min(batch.num_rows() - at);
            self.write(&batch.slice(at, length))?;
            at += length;
            let open = self.open.as_ref().expect("something was written");
            if open.rows >= self.limits.piece_rows || open.body.length() as u64 >= self.limits.piece_bytes {
                full.extend(self.close(false)?);
            }
        }
        Ok((full, false))
    }

    fn write(&mut self, batch: &RecordBatch) -> Result<(), SqlError> {
        if self.open.is_none() {
            let body = match self.form {
                Form::Arrow => {
                    Body::Arrow(Box::new(StreamWriter::try_new(Vec::new(), &self.schema).map_err(of_arrow)?))
                }
                Form::Json => Body::Text(b"[".to_vec()),
                Form::Csv => {
                    let mut text = Vec::new();
                    if self.rows == 0 {
                        let names = self.columns.iter().map(|column| Json::from(column.name.as_str()));
                        write_line(&names.collect::<Vec<_>>(), &mut text);
                    }
                    Body::Text(text)
                }
            };
            self.open = Some(Open { rows: 0, body });
        }
        let open = self.open.as_mut().expect("it was just opened");
        let before = open.body.length();
        match &mut open.body {
            Body::Arrow(writer) => {
                let batch = in_schema(batch, &self.schema).map_err(of_arrow)?;
                writer.write(&batch).map_err(of_arrow)?;
            }
            Body::Text(text) => {
                for (place, row) in json_rows(batch)?.into_iter().enumerate() {
                    match self.form {
                        Form::Csv => write_line(&row, text),
                        _ => {
                            if open.rows > 0 || place > 0 {
                                text.push(b',');
                            }
                            let row: Vec<Json> = row.into_iter().map(texted).collect();
                            text.extend(Json::Array(row).to_string().bytes());
                        }
                    }
                }
            }
        }
        let rows = batch.num_rows() as u64;
        open.rows += rows;
        self.rows += rows;
        self.bytes += (open.body.length() - before) as u64;
        Ok(())
    }

    fn close(&mut self, truncated: bool) -> Result<Option<Piece>, SqlError> {
        let Some(Open { rows, body }) = self.open.take() else { return Ok(None) };
        let bytes = match body {
            Body::Arrow(mut writer) => {
                writer.finish().map_err(of_arrow)?;
                std::mem::take(writer.get_mut())
            }
            Body::Text(mut text) => {
                if self.form == Form::Json {
                    text.push(b']');
                }
                text
            }
        };
        Ok(Some(Piece { rows, bytes, truncated }))
    }
}

/// Every value is a text or null.
fn texted(value: Json) -> Json {
    match value {
        Json::Null | Json::String(_) => value,
        other => Json::String(other.to_string()),
    }
}
