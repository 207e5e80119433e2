//! SQL over the tables of a pool.
//!
//! Each statement gets a session of its own, in which the tables that it names
//! stand as they were when it came. It can read them and nothing else: no
//! file, no setting, no other pool.

use std::sync::{Arc, LazyLock};

use base::sql::{SqlAnswer, SqlColumn, SqlError};
use datafusion::catalog::{CatalogProvider, MemoryCatalogProvider, MemoryCatalogProviderList, MemorySchemaProvider};
use datafusion::common::{DataFusionError, TableReference};
use datafusion::execution::SessionState;
use datafusion::execution::SessionStateBuilder;
use datafusion::execution::context::{SQLOptions, SessionContext};
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::GreedyMemoryPool;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::prelude::SessionConfig;
use datafusion::sql::parser::{DFParserBuilder, Statement};
use datafusion::sql::sqlparser::ast::Statement as SqlStatement;
use datafusion::sql::sqlparser::dialect::GenericDialect;
use futures::StreamExt as _;

use crate::json::{kind, values};
use crate::pool::View;
use crate::shown::Shown;
use crate::spelling::{Spelled, spell};

const CATALOG: &str = "loopwright";
const SCHEMA: &str = "pool";

/// Runs a statement and returns at most `rows_max` rows.
pub(crate) async fn run(
    view: Arc<View>,
    statement: String,
    rows_max: usize,
    bytes_max: usize,
) -> Result<SqlAnswer, SqlError> {
    let spelled =
        spell(&statement, &view).map_err(|error| SqlError::Statement { detail: sentence(&error.to_string()) })?;
    let parsed = parse(&spelled)?;
    let context = session(&spelled, bytes_max).map_err(of_engine)?;
    let plan = context.state().statement_to_plan(parsed).await.map_err(of_engine)?;
    // The statement was looked at; the plan is looked at too, so that nothing
    // slips through by a form of words that we did not think of.
    let only_reads = SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).with_allow_statements(false);
    only_reads.verify_plan(&plan).map_err(of_engine)?;
    let frame = context.execute_logical_plan(plan).await.map_err(of_engine)?;
    let mut stream = frame.execute_stream().await.map_err(of_engine)?;
    let schema = stream.schema();
    let columns = schema
        .fields()
        .iter()
        .map(|field| SqlColumn { name: spelled.answer_column(field.name()), kind: kind(field.data_type()) });
    let mut answer = SqlAnswer { columns: columns.collect(), ..SqlAnswer::default() };
    while let Some(batch) = stream.next().await {
        let batch = batch.map_err(of_engine)?;
        let room = rows_max - answer.rows.len();
        answer.truncated = batch.num_rows() > room;
        let batch = batch.slice(0, room.min(batch.num_rows()));
        let columns: Result<Vec<_>, _> = batch.columns().iter().map(values).collect();
        let mut columns: Vec<_> =
            columns.map_err(|error| of_engine(error.into()))?.into_iter().map(Vec::into_iter).collect();
        for _ in 0..batch.num_rows() {
            let row = columns.iter_mut().map(|column| column.next().expect("columns are equally long"));
            answer.rows.push(row.collect());
        }
        if answer.truncated {
            break;
        }
    }
    Ok(answer)
}

fn parse(spelled: &Spelled) -> Result<Statement, SqlError> {
    let mut parser =
        DFParserBuilder::new(spelled.tokens.clone()).with_dialect(&GenericDialect {}).build().map_err(of_engine)?;
    let mut statements = parser.parse_statements().map_err(of_engine)?;
    let refused = |detail: &str| Err(SqlError::Statement { detail: detail.to_owned() });
    match (statements.pop_front(), statements.is_empty()) {
        (None, _) => refused("there is no statement"),
        (Some(_), false) => refused("only one statement can be run at a time"),
        (Some(statement), true) if only_reads(&statement) => Ok(statement),
        (Some(_), true) => refused("statements here only read: SELECT, WITH, VALUES or EXPLAIN"),
    }
}

fn only_reads(statement: &Statement) -> bool {
    match statement {
        Statement::Statement(statement) => matches!(**statement, SqlStatement::Query(_)),
        Statement::Explain(explain) => only_reads(&explain.statement),
        _ => false,
    }
}

/// Everything that sessions have in common: functions and rules.
static ENGINE: LazyLock<SessionState> = LazyLock::new(|| {
    let mut config = SessionConfig::new()
        .with_default_catalog_and_schema(CATALOG, SCHEMA)
        .with_create_default_catalog_and_schema(false)
        .with_information_schema(false)
        .with_target_partitions(2);
    // Names come in the right spelling already, see `spelling`.
    config.options_mut().sql_parser.enable_ident_normalization = false;
    SessionStateBuilder::new().with_config(config).with_default_features().build()
});

fn session(spelled: &Spelled, bytes_max: usize) -> Result<SessionContext, DataFusionError> {
    let nothing_on_disk = DiskManagerBuilder::default().with_mode(DiskManagerMode::Disabled);
    let environment = RuntimeEnvBuilder::new()
        .with_memory_pool(Arc::new(GreedyMemoryPool::new(bytes_max)))
        .with_disk_manager_builder(nothing_on_disk)
        .build_arc()?;
    let catalog = MemoryCatalogProvider::new();
    catalog.register_schema(SCHEMA, Arc::new(MemorySchemaProvider::new()))?;
    let state = SessionStateBuilder::new_from_existing(ENGINE.clone())
        .with_runtime_env(environment)
        .with_catalog_list(Arc::new(MemoryCatalogProviderList::new()))
        .build();
    let context = SessionContext::new_with_state(state);
    context.register_catalog(CATALOG, Arc::new(catalog));
    for table in &spelled.tables {
        let name = spelled.word(&table.name).to_owned();
        context.register_table(TableReference::bare(name), Arc::new(Shown::new(table.clone(), spelled)))?;
    }
    Ok(context)
}

/// Returns whose fault an error of the engine is, in its own words.
fn of_engine(error: DataFusionError) -> SqlError {
    match error.find_root() {
        DataFusionError::ResourcesExhausted(_) => {
            SqlError::Stopped { detail: "it needs more memory than a statement may have".into() }
        }
        DataFusionError::SQL(..)
        | DataFusionError::Plan(_)
        | DataFusionError::SchemaError(..)
        | DataFusionError::NotImplemented(_)
        | DataFusionError::Configuration(_)
        | DataFusionError::Execution(_)
        | DataFusionError::Diagnostic(..)
        | DataFusionError::ArrowError(..) => SqlError::Statement { detail: sentence(&error.strip_backtrace()) },
        _ => SqlError::Engine(Box::new(error)),
    }
}

/// Returns what the engine says without what it says before it says what is
/// wrong, and without its own names for where tables are.
fn sentence(text: &str) -> String {
    const PREFIXES: [&str; 7] = [
        "Error during planning: ",
        "SQL error: ",
        "Schema error: ",
        "Arrow error: ",
        "Execution error: ",
        "Cast error: ",
        "Parser error: ",
    ];
    let mut text = text.trim();
    while let Some(rest) = PREFIXES.iter().find_map(|prefix| text.strip_prefix(prefix)) {
        text = rest.trim();
    }
    if let Some(inner) = text.strip_prefix("ParserError(\"").and_then(|text| text.strip_suffix("\")")) {
        text = inner;
    }
    let text = text.trim_end_matches('.').replace(&format!("{CATALOG}.{SCHEMA}."), "").replace('\n', " ");
    let mut letters = text.chars();
    match (letters.next(), letters.clone().next()) {
        (Some(first), Some(second)) if second.is_lowercase() => first.to_lowercase().chain(letters).collect(),
        _ => text,
    }
}
