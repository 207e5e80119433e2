//! Statements of data jobs: rows out of rows.
//!
//! A statement is asked of the pool as it is, its rows are staged as they come,
//! and one commit makes them durable under the name that the caller gave: the
//! same statement of the same run commits once, however often it is tried.
//! What rewrites rows that are there takes back nothing that was pushed
//! meanwhile: if the table has moved on, it is asked again.

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, Int64Type};
use arrow::util::display::FormatOptions;
use base::sql::SqlError;
use datafusion::sql::sqlparser::ast::Statement as SqlStatement;
use futures::StreamExt as _;
use pools::rows::{ColumnType, Rows};
use pools::{Commit, Mode, Piece, SEQ_COLUMN, Tables as _, TablesError, Transform, Transformed};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::arrow_rows::{adopted, arrow_type, column_of, column_type};
use crate::asking::Work;
use crate::columns::empty_column;
use crate::error::failed;
use crate::lake::Lake;
use crate::query::{Answering, parse_any, plan};
use crate::reading::Reading;
use crate::rewrite::{Action, CHANGED, Counts, Write, action};
use crate::views::twice;

/// How often a statement is tried whose table moves on.
const TRIES_MAX: usize = 10;
/// Rows of a staged piece, about.
const PIECE_ROWS: usize = 64 * 1024;

impl Lake {
    /// Runs a statement of a data job, or one that sees more than its pool.
    pub(crate) async fn run_transform(
        &self,
        transform: Transform,
        asked_by: &str,
        reading: &Reading,
    ) -> Result<Transformed, TablesError> {
        if let Some(committed) = self.pool(transform.pool).outcome(transform.job)? {
            return Ok(Transformed::Committed(committed));
        }
        // The statement is in the list of those under way, and can be stopped
        // there too.
        let begun = self.asking.begin(transform.pool, &transform.statement, asked_by);
        let stop = begun.work.stop.clone();
        let _linked = link(&transform.stop, &stop);
        let mut tried = 0;
        loop {
            tried += 1;
            let mut work = Work::new(stop.clone(), self.transform_time_max());
            match self.try_transform(&transform, reading, &mut work).await {
                Err(TablesError::Moved { .. }) if tried < TRIES_MAX => {}
                done => return done,
            }
        }
    }

    async fn try_transform(
        &self,
        transform: &Transform,
        reading: &Reading,
        work: &mut Work,
    ) -> Result<Transformed, TablesError> {
        let scope = self.scope_for(Some(transform.pool), reading).map_err(of_sql)?;
        let parsed = parse_any(&transform.statement, &scope).map_err(of_sql)?;
        // The rows of these come from where the statement is at home; the
        // others speak of the table that they change.
        let brings_rows = matches!(parsed, SqlStatement::Insert(_) | SqlStatement::CreateTable(_));
        let asked = match brings_rows && reading.is_elsewhere(transform.pool) {
            true => self.scope_for(reading.home, reading).map_err(of_sql)?,
            false => scope.clone(),
        };
        match action(parsed, &transform.statement, &scope)? {
            Action::Nothing => Ok(Transformed::Nothing),
            Action::DropView(name) => Ok(Transformed::ViewDropped(name)),
            Action::MakeView(view) => {
                let mut scope = scope.clone();
                let mut views = (*scope.views).clone();
                views.insert(view.name.to_ascii_lowercase(), view.clone());
                scope.views = views.into();
                // It must make sense now, and must not lead back to itself.
                let environment = self.asking.environment();
                crate::views::plan(&scope, &view, &environment, &[]).await.map_err(of_sql)?;
                Ok(Transformed::ViewMade(view))
            }
            Action::Drop { table } => {
                let commit = commit_of(transform, table, Mode::Replace);
                let committed = self.commit_drop(commit).await?;
                Ok(Transformed::Committed(committed))
            }
            Action::Write(write) => {
                let environment = self.asking.environment();
                let question = write.question.clone();
                let started = async move { plan(&asked, &question, &environment).await?.start().await };
                let started = AbortOnDropHandle::new(self.runtime().spawn(started));
                let answering = work.on(started).await.map_err(of_sql)?.map_err(failed)?.map_err(of_sql)?;
                let staged = self.stage_rows(transform, &write, answering, work).await;
                self.commit_write(transform, write, staged).await
            }
        }
    }

    async fn commit_write(
        &self,
        transform: &Transform,
        write: Write,
        staged: Result<u64, TablesError>,
    ) -> Result<Transformed, TablesError> {
        let counted = match staged {
            Ok(counted) => counted,
            Err(error) => {
                self.abandon(transform.job);
                return Err(error);
            }
        };
        let (happened, gone) = match write.counts {
            Counts::Always => (true, 0),
            Counts::Rows | Counts::Changed => (counted > 0, 0),
            Counts::Missing(before) => (counted < before, before.saturating_sub(counted)),
        };
        if !happened {
            self.abandon(transform.job);
            return Ok(Transformed::Nothing);
        }
        let commit = commit_of(transform, write.table, write.mode);
        let mut committed = match write.only_after {
            Some(number) => self.commit_after(commit, number).await?,
            None => self.commit(commit).await?,
        };
        // A table made anew was changed where its rows were.
        match write.counts {
            Counts::Changed => committed.upserted = counted,
            Counts::Missing(_) => (committed.upserted, committed.deleted) = (0, gone),
            Counts::Always | Counts::Rows => {}
        }
        Ok(Transformed::Committed(committed))
    }

    /// Stages the rows of a question and returns how many count.
    async fn stage_rows(
        &self,
        transform: &Transform,
        write: &Write,
        mut answering: Answering,
        work: &mut Work,
    ) -> Result<u64, TablesError> {
        let target = Target::of(write, &answering)?;
        let mut counted = 0;
        let mut waiting: Vec<RecordBatch> = Vec::new();
        let mut rows = 0;
        loop {
            let batch = work.on(answering.stream.next()).await.map_err(of_sql)?;
            let batch = batch.transpose().map_err(|error| of_sql(crate::query::of_engine(error)))?;
            let is_last = batch.is_none();
            if let Some(batch) = batch {
                counted += target.count(&batch);
                rows += batch.num_rows();
                waiting.push(batch);
            }
            if rows >= PIECE_ROWS || (is_last && rows > 0) {
                let piece = target.rows(&std::mem::take(&mut waiting))?;
                rows = 0;
                let piece = if write.deletes { Piece::Delete(piece) } else { Piece::Upsert(piece) };
                self.stage(transform.pool, transform.job, piece).await?;
            }
            if is_last {
                break;
            }
        }
        if write.mode == Mode::Replace {
            // The columns stay where no row does.
            let columns = target.columns.iter().map(|(_, name, is)| empty_column(name.clone(), *is, 0));
            let nothing = Piece::Upsert(Rows::new(columns.collect()));
            self.stage(transform.pool, transform.job, nothing).await?;
        }
        Ok(counted)
    }
}

fn commit_of(transform: &Transform, table: String, mode: Mode) -> Commit {
    let causes = transform.causes.clone();
    Commit { pool: transform.pool, table, job: transform.job, mode, at: transform.at, causes }
}

/// Lets one token stop another, until what it returns is dropped.
pub(crate) fn link(from: &CancellationToken, to: &CancellationToken) -> AbortOnDropHandle<()> {
    let (from, to) = (from.clone(), to.clone());
    AbortOnDropHandle::new(tokio::spawn(async move {
        from.cancelled().await;
        to.cancel();
    }))
}

fn of_sql(error: SqlError) -> TablesError {
    match error {
        SqlError::Statement { detail } => TablesError::Statement { detail },
        SqlError::Stopped { detail } => TablesError::Stopped { detail },
        other => failed(base::error::chain(&other)),
    }
}

/// Which columns of an answer go where.
struct Target {
    /// The place in the answer, the column's name, and its type.
    columns: Vec<(usize, String, ColumnType)>,
    changed: Option<usize>,
}

impl Target {
    fn of(write: &Write, answering: &Answering) -> Result<Self, TablesError> {
        let wrong = |detail: String| TablesError::Statement { detail };
        let schema = answering.stream.schema();
        let names: Vec<String> = answering.columns.iter().map(|column| column.name.clone()).collect();
        if write.columns.is_empty() {
            if let Some(name) = twice(&names) {
                return Err(wrong(format!(
                    "the SELECT has two columns called \"{name}\": give one another name with AS"
                )));
            }
            let fields = schema.fields().iter().zip(names).enumerate();
            let columns = fields.map(|(place, (field, name))| (place, name, column_type(field.data_type())));
            return Ok(Target { columns: columns.collect(), changed: None });
        }
        let ours = names.iter().filter(|name| *name == CHANGED || (*name == SEQ_COLUMN && write.mode == Mode::Replace));
        let given = names.len() - ours.count();
        let mut wanted = write.columns.clone();
        // The change date is a column like any other to whoever writes `SELECT *`.
        if given + 1 == wanted.len() && wanted.last().is_some_and(|column| column.name == pools::CHANGE_DATE_COLUMN) {
            wanted.pop();
        }
        if given != wanted.len() {
            wanted.retain(|column| column.name != pools::CHANGE_DATE_COLUMN);
            let wanted: Vec<_> = wanted.iter().map(|column| column.name.as_str()).collect();
            return Err(wrong(format!(
                "{given} values are given for {} columns of \"{}\": {}",
                wanted.len(),
                write.table,
                wanted.join(", ")
            )));
        }
        let mut columns = Vec::new();
        for (place, column) in wanted.into_iter().enumerate() {
            let is = column_type(schema.field(place).data_type());
            let is_nothing = *schema.field(place).data_type() == DataType::Null;
            let to = match (is, column.column_type) {
                (_, wanted) if is_nothing => wanted,
                // Nobody wants a number cut off: the column widens, as by a push.
                (ColumnType::Float, ColumnType::Integer) => ColumnType::Float,
                (is, wanted) if is == wanted || matches!(is, ColumnType::Text) => wanted,
                (ColumnType::Integer, ColumnType::Float) => ColumnType::Float,
                (_, ColumnType::Text) => ColumnType::Text,
                (is, wanted) => {
                    return Err(wrong(format!(
                        "column \"{}\" of \"{}\" holds {}, and the value is {}: write CAST(… AS …)",
                        column.name,
                        write.table,
                        word(wanted),
                        word(is)
                    )));
                }
            };
            columns.push((place, column.name, to));
        }
        let changed = names.iter().position(|name| name == CHANGED);
        Ok(Target { columns, changed })
    }

    fn count(&self, batch: &RecordBatch) -> u64 {
        let Some(changed) = self.changed else { return batch.num_rows() as u64 };
        let marks = batch.column(changed).as_primitive::<Int64Type>();
        marks.values().iter().filter(|mark| **mark == 1).count() as u64
    }

    fn rows(&self, batches: &[RecordBatch]) -> Result<Rows, TablesError> {
        let mut columns = Vec::new();
        for (place, name, to) in &self.columns {
            let arrays: Result<Vec<ArrayRef>, _> =
                batches.iter().map(|batch| converted(batch.column(*place), *to, name)).collect();
            columns.push(column_of(name, *to, &arrays?));
        }
        Ok(Rows::new(columns))
    }
}

fn word(column_type: ColumnType) -> &'static str {
    match column_type {
        ColumnType::Integer => "integers",
        ColumnType::Float => "floats",
        ColumnType::Time => "times",
        ColumnType::Boolean => "booleans",
        ColumnType::Text => "texts",
    }
}

fn converted(array: &ArrayRef, to: ColumnType, name: &str) -> Result<ArrayRef, TablesError> {
    let wrong = |error: arrow::error::ArrowError| {
        let text = error.to_string();
        let detail = text.strip_prefix("Cast error: ").unwrap_or(&text);
        TablesError::Statement { detail: format!("column \"{name}\": {detail}") }
    };
    if *array.data_type() == DataType::Null {
        return Ok(arrow::array::new_null_array(&arrow_type(to), array.len()));
    }
    let ours = adopted(array).map_err(wrong)?;
    match (column_type(ours.data_type()), to) {
        (is, to) if is == to => Ok(ours),
        (_, ColumnType::Text) => crate::arrow_rows::widened(&ours, &DataType::Utf8).map_err(wrong),
        (_, to) => {
            let strict = CastOptions { safe: false, format_options: FormatOptions::default() };
            cast_with_options(&ours, &arrow_type(to), &strict).map_err(wrong)
        }
    }
}
