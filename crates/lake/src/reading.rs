//! Statements that see several pools, with values for their markers, and whose
//! answers go out in pieces.
//!
//! A pool is a schema of the catalog `loopwright`: `loopwright.pool.table`, or
//! `pool.table`. A table without a pool is looked up where the statement is at
//! home. Who may see which pool is for the caller to say: a statement sees the
//! pools that it is given, and nothing else.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::{DataType, TimeUnit};
use base::sql::SqlError;
use datafusion::common::ScalarValue;
use pools::{PoolId, TablesError, Transform, Transformed};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::lake::Lake;
use crate::pieces::{Piece, send};
use crate::query::of_engine;
use crate::scope::{Neighbour, Scope};
use crate::transform::link;

/// Pieces between the engine and the reader.
const PIECES_AHEAD: usize = 2;

/// What a statement can see.
#[derive(Clone, Debug, Default)]
pub struct Reading {
    /// Where tables without a pool are looked up; `None` for nowhere.
    pub home: Option<PoolId>,
    /// The pools that can be named, with their names.
    pub pools: Vec<(String, PoolId)>,
    /// Values for the markers `:name`.
    pub parameters: Vec<Parameter>,
}

impl Reading {
    /// Tells whether a statement that changes a pool is at home in another one.
    pub(crate) fn is_elsewhere(&self, pool: PoolId) -> bool {
        !self.pools.is_empty() && self.home != Some(pool)
    }
}

/// The value of a marker.
#[derive(Clone, Debug)]
pub struct Parameter {
    /// The marker without the colon.
    pub name: String,
    /// The value as text; `None` is NULL.
    pub value: Option<String>,
    /// A type of SQL: `STRING`, `BIGINT`, `DECIMAL(10,2)` …
    pub kind: String,
}

/// In which form rows go out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// JSON arrays of arrays of texts and nulls.
    Json,
    /// CSV with a header in the first piece.
    Csv,
    /// An Arrow IPC stream per piece.
    Arrow,
}

/// How much goes out.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Rows in all.
    pub rows_max: u64,
    /// Bytes in all, about.
    pub bytes_max: u64,
    /// Rows of a piece.
    pub piece_rows: u64,
    /// Bytes of a piece, about.
    pub piece_bytes: u64,
}

/// A statement that only reads.
#[derive(Clone, Debug)]
pub struct Question {
    /// The statement.
    pub statement: String,
    /// What it can see.
    pub reading: Reading,
    /// Who asks, for the list of running statements.
    pub asked_by: String,
    /// In which form the rows go out.
    pub form: Form,
    /// How many.
    pub limits: Limits,
    /// Stops it.
    pub stop: CancellationToken,
}

/// A column of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// As the statement names it.
    pub name: String,
    /// Its type as SQL writes it: `BIGINT`, `DECIMAL(10,2)`, `ARRAY<STRING>` …
    pub kind: String,
}

/// The rows of a statement on their way out.
#[derive(Debug)]
pub struct Answer {
    /// The columns, in order.
    pub columns: Vec<Column>,
    /// The rows, or what went wrong on the way. Dropping it stops the statement.
    pub pieces: mpsc::Receiver<Result<Piece, SqlError>>,
}

impl Lake {
    /// Asks a question that may name several pools.
    pub async fn ask(&self, question: Question) -> Result<Answer, SqlError> {
        let Question { statement, reading, asked_by, form, limits, stop } = question;
        let scope = self.scope_for(reading.home, &reading)?;
        let at = reading.home.or_else(|| reading.pools.first().map(|(_, pool)| *pool));
        let mut begun = self.asking.begin(at.unwrap_or(PoolId::from_bytes([0; 16])), &statement, &asked_by);
        let linked = link(&stop, &begun.work.stop);
        let answering = self.start(&mut begun, scope, statement).await?;
        let fields = answering.stream.schema();
        let columns = answering.columns.iter().zip(fields.fields());
        let columns: Vec<Column> = columns
            .map(|(column, field)| Column { name: column.name.clone(), kind: sql_type(field.data_type()) })
            .collect();
        let (ready, begins) = oneshot::channel();
        let (sender, pieces) = mpsc::channel(PIECES_AHEAD);
        self.runtime().spawn(async move {
            send(begun, answering, form, limits, ready, sender).await;
            drop(linked);
        });
        match begins.await {
            Ok(Ok(())) => Ok(Answer { columns, pieces }),
            Ok(Err(error)) => Err(error),
            Err(error) => Err(SqlError::Engine(error.into())),
        }
    }

    /// Runs a statement that changes a table; what it reads may stand in
    /// several pools.
    pub async fn change(
        &self,
        transform: Transform,
        asked_by: &str,
        reading: &Reading,
    ) -> Result<Transformed, TablesError> {
        self.run_transform(transform, asked_by, reading).await
    }

    /// Returns what a statement sees that is at home in a pool.
    pub(crate) fn scope_for(&self, home: Option<PoolId>, reading: &Reading) -> Result<Scope, SqlError> {
        let mut scope = match home {
            Some(pool) => self.scope(pool),
            None => Scope::of(Arc::default(), Arc::default()),
        };
        let neighbours = reading.pools.iter();
        let neighbours = neighbours.map(|(name, pool)| Neighbour { name: name.clone(), scope: self.scope(*pool) });
        scope.neighbours = Arc::new(neighbours.collect());
        scope.parameters = Arc::new(bound(&reading.parameters)?);
        Ok(scope)
    }
}

/// Turns parameters into values of the engine.
fn bound(parameters: &[Parameter]) -> Result<HashMap<String, ScalarValue>, SqlError> {
    let mut values = HashMap::new();
    for Parameter { name, value, kind } in parameters {
        let wrong = |detail: String| SqlError::Statement { detail: format!("parameter \"{name}\": {detail}") };
        let to = engine_type(kind).ok_or_else(|| {
            wrong(format!(
                "type \"{kind}\" is not known here: use STRING, BOOLEAN, TINYINT to BIGINT, FLOAT, DOUBLE, \
                 DECIMAL(p,s), DATE, TIMESTAMP or VOID"
            ))
        })?;
        let text = ScalarValue::Utf8(value.clone());
        let bound = text.cast_to(&to).map_err(|error| match of_engine(error) {
            SqlError::Statement { detail } => wrong(detail),
            other => other,
        })?;
        if bound.is_null() && value.is_some() {
            return Err(wrong(format!("the value is no {kind}")));
        }
        if values.insert(name.to_ascii_lowercase(), bound).is_some() {
            return Err(wrong("it is given twice".into()));
        }
    }
    Ok(values)
}

/// Returns the engine's type for a word of SQL.
fn engine_type(kind: &str) -> Option<DataType> {
    let kind: String = kind.chars().filter(|letter| !letter.is_whitespace()).collect::<String>().to_ascii_uppercase();
    let (word, inner) = match kind.split_once('(') {
        Some((word, rest)) => (word, Some(rest.strip_suffix(')')?)),
        None => (kind.as_str(), None),
    };
    Some(match word {
        "STRING" | "VARCHAR" | "CHAR" | "TEXT" => DataType::Utf8,
        "BOOLEAN" | "BOOL" => DataType::Boolean,
        "TINYINT" | "BYTE" => DataType::Int8,
        "SMALLINT" | "SHORT" => DataType::Int16,
        "INT" | "INTEGER" => DataType::Int32,
        "BIGINT" | "LONG" => DataType::Int64,
        "FLOAT" | "REAL" => DataType::Float32,
        "DOUBLE" => DataType::Float64,
        "DATE" => DataType::Date32,
        "TIMESTAMP" | "TIMESTAMP_LTZ" => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        "TIMESTAMP_NTZ" => DataType::Timestamp(TimeUnit::Microsecond, None),
        "VOID" => DataType::Null,
        "DECIMAL" | "DEC" | "NUMERIC" => {
            let (precision, scale) = match inner {
                None => (10, 0),
                Some(inner) => match inner.split_once(',') {
                    None => (inner.parse().ok()?, 0),
                    Some((precision, scale)) => (precision.parse().ok()?, scale.parse().ok()?),
                },
            };
            DataType::Decimal128(precision, scale)
        }
        _ => return None,
    })
}

/// Returns the word of SQL for a type of the engine.
fn sql_type(is: &DataType) -> String {
    match is {
        DataType::Null => "VOID".into(),
        DataType::Boolean => "BOOLEAN".into(),
        DataType::Int8 => "TINYINT".into(),
        DataType::Int16 | DataType::UInt8 => "SMALLINT".into(),
        DataType::Int32 | DataType::UInt16 => "INT".into(),
        DataType::Int64 | DataType::UInt32 => "BIGINT".into(),
        DataType::UInt64 => "DECIMAL(20,0)".into(),
        DataType::Float16 | DataType::Float32 => "FLOAT".into(),
        DataType::Float64 => "DOUBLE".into(),
        DataType::Decimal32(precision, scale)
        | DataType::Decimal64(precision, scale)
        | DataType::Decimal128(precision, scale)
        | DataType::Decimal256(precision, scale) => format!("DECIMAL({precision},{scale})"),
        DataType::Date32 | DataType::Date64 => "DATE".into(),
        DataType::Timestamp(_, Some(_)) => "TIMESTAMP".into(),
        DataType::Timestamp(_, None) => "TIMESTAMP_NTZ".into(),
        DataType::Interval(_) | DataType::Duration(_) => "INTERVAL".into(),
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_) => {
            "BINARY".into()
        }
        DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _) => {
            format!("ARRAY<{}>", sql_type(item.data_type()))
        }
        DataType::Struct(fields) => {
            let fields = fields.iter().map(|field| format!("{}: {}", field.name(), sql_type(field.data_type())));
            format!("STRUCT<{}>", fields.collect::<Vec<_>>().join(", "))
        }
        DataType::Dictionary(_, values) => sql_type(values),
        _ => "STRING".into(),
    }
}
