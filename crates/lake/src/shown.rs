//! A table as the SQL engine sees it.
//!
//! Only the columns that a statement needs are read, of files one after the
//! other, while the engine works on what came before; rows in motion are one
//! more partition. `_seq` is a column for statements that name it; others, and
//! so `SELECT *`, see the table without it.

use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::datatypes::{Field, Schema as ArrowSchema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{DataFusionError, Result};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::stream::RecordBatchReceiverStream;
use datafusion::physical_plan::streaming::{PartitionStream, StreamingTableExec};
use pools::SEQ_COLUMN;

use crate::rest::RestFile;
use crate::skipping::{self, Choice, Wanted};
use crate::spelling::Spelled;
use crate::table::Table;

/// Files are read by at most so many at a time.
const READERS_MAX: usize = 4;

/// Batches that wait for the engine at most, per reader.
const BATCHES_AHEAD: usize = 2;

/// A table under the names of one statement.
#[derive(Debug)]
pub(crate) struct Shown {
    table: Arc<Table>,
    /// The columns in the statement's spelling.
    schema: SchemaRef,
}

impl Shown {
    /// Shows a table to a statement.
    pub(crate) fn new(table: Arc<Table>, spelled: &Spelled) -> Self {
        let all = table.arrow_schema();
        let fields = all.fields().iter().filter(|field| spelled.names_seq || field.name() != SEQ_COLUMN);
        let fields = fields.map(|field| Field::new(spelled.word(field.name()), field.data_type().clone(), true));
        let schema = Arc::new(ArrowSchema::new(fields.collect::<Vec<_>>()));
        Shown { table, schema }
    }
}

#[async_trait]
impl TableProvider for Shown {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        Ok(skipping::pushdown(filters))
    }

    async fn scan(
        &self,
        _: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let schema = match projection {
            Some(places) => Arc::new(self.schema.project(places)?),
            None => self.schema.clone(),
        };
        let rest = &self.table.rest;
        let wanted: Arc<[Wanted]> = skipping::wanted(filters, &rest.shape.schema).into();
        let files = rest.files.iter().filter(|file| skipping::may_hold(file, &wanted)).cloned();
        let files: Vec<RestFile> = files.collect();
        let mut sources: Vec<Source> = Vec::new();
        if !files.is_empty() {
            let share = files.len().div_ceil(READERS_MAX);
            sources.extend(files.chunks(share).map(|files| Source::Files(files.to_vec())));
        }
        sources.push(Source::Hot);
        let partitions = sources.into_iter().map(|source| {
            let partition =
                Partition { table: self.table.clone(), schema: schema.clone(), source, wanted: wanted.clone() };
            Arc::new(partition) as Arc<dyn PartitionStream>
        });
        let plan = StreamingTableExec::try_new(schema.clone(), partitions.collect(), None, [], false, limit)?;
        Ok(Arc::new(plan))
    }
}

#[derive(Clone, Debug)]
enum Source {
    Files(Vec<RestFile>),
    Hot,
}

#[derive(Debug)]
struct Partition {
    table: Arc<Table>,
    schema: SchemaRef,
    source: Source,
    /// What the statement asks for of the files.
    wanted: Arc<[Wanted]>,
}

impl PartitionStream for Partition {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _: Arc<TaskContext>) -> SendableRecordBatchStream {
        let mut stream = RecordBatchReceiverStream::builder(self.schema.clone(), BATCHES_AHEAD);
        let batches = stream.tx();
        let (table, schema, source) = (self.table.clone(), self.schema.clone(), self.source.clone());
        let wanted = self.wanted.clone();
        stream.spawn_blocking(move || {
            let mut problem = None;
            let mut send = |batch: RecordBatch| match named(&batch, &schema) {
                // If nobody listens any more, the engine has enough.
                Ok(batch) => batches.blocking_send(Ok(batch)).is_ok(),
                Err(error) => {
                    problem = Some(error);
                    false
                }
            };
            match &source {
                Source::Hot => table.read_hot(&schema, &mut send).map_err(outward)?,
                Source::Files(files) => {
                    for file in files {
                        table.read_file(file, &schema, Choice::Where(&wanted), &mut send).map_err(outward)?;
                    }
                }
            }
            problem.map_or(Ok(()), Err)
        });
        stream.build()
    }
}

/// Gives a batch the names that the statement uses.
fn named(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch> {
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    Ok(RecordBatch::try_new_with_options(schema.clone(), batch.columns().to_vec(), &options)?)
}

fn outward(error: pools::TablesError) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}
