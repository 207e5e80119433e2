//! SQL over the tables of a pool.
//!
//! Each statement gets a session of its own, in which the tables and views
//! that it names stand as they were when it came. It can read them and nothing
//! else: no file, no setting, no other pool.

use std::sync::{Arc, LazyLock};

use arrow::array::RecordBatch;
use base::sql::{SqlColumn, SqlError};
use datafusion::catalog::{CatalogProvider, MemoryCatalogProvider, MemoryCatalogProviderList, MemorySchemaProvider};
use datafusion::common::{DataFusionError, TableReference};
use datafusion::execution::context::{SQLOptions, SessionContext};
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::execution::{SendableRecordBatchStream, SessionState, SessionStateBuilder};
use datafusion::logical_expr::LogicalPlan;
use datafusion::prelude::SessionConfig;
use datafusion::sql::parser::{DFParserBuilder, Statement};
use datafusion::sql::sqlparser::ast::Statement as SqlStatement;
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::tokenizer::TokenWithSpan;
use serde_json::Value as Json;

use crate::functions;
use crate::json::{kind, values};
use crate::scope::Scope;
use crate::shown::Shown;
use crate::spelling::{Relation, Spelled, spell, tokens, words};
use crate::table::Table;
use crate::views::{self, PlannedView};

const CATALOG: &str = "loopwright";
/// Where the tables of the pool are in which a statement is at home. A pool
/// cannot be called so by accident.
const SCHEMA: &str = "~pool";

/// A statement whose rows come one batch after the other.
pub(crate) struct Answering {
    /// The columns in the statement's spelling.
    pub(crate) columns: Vec<SqlColumn>,
    /// The rows.
    pub(crate) stream: SendableRecordBatchStream,
}

/// A statement that is understood.
pub(crate) struct Planned {
    pub(crate) spelled: Spelled,
    pub(crate) plan: LogicalPlan,
    context: SessionContext,
}

impl Planned {
    /// Begins to answer.
    pub(crate) async fn start(self) -> Result<Answering, SqlError> {
        let frame = self.context.execute_logical_plan(self.plan).await.map_err(of_engine)?;
        let stream = frame.execute_stream().await.map_err(of_engine)?;
        let schema = stream.schema();
        let columns = schema
            .fields()
            .iter()
            .map(|field| SqlColumn { name: self.spelled.answer_column(field.name()), kind: kind(field.data_type()) });
        Ok(Answering { columns: columns.collect(), stream })
    }
}

/// What a statement names in another pool.
struct Elsewhere {
    name: String,
    tables: Vec<Arc<Table>>,
    views: Vec<PlannedView>,
}

/// Understands a statement of any kind, in the spelling of the tables.
pub(crate) fn parse_any(statement: &str, scope: &Scope) -> Result<SqlStatement, SqlError> {
    let spelled = spell(tokens_of(statement)?, &scope.relations(&words(&tokens_of(statement)?)));
    match parse(&spelled)? {
        Statement::Statement(statement) => Ok(*statement),
        other => Err(SqlError::Statement { detail: format!("this cannot be run here: {other}") }),
    }
}

/// Plans a statement that only reads.
pub(crate) async fn plan(scope: &Scope, statement: &str, environment: &Arc<RuntimeEnv>) -> Result<Planned, SqlError> {
    plan_inside(scope, statement, environment, &[]).await
}

/// Plans a statement that stands in views; `inside` are their names, outermost
/// first.
pub(crate) async fn plan_inside(
    scope: &Scope,
    statement: &str,
    environment: &Arc<RuntimeEnv>,
    inside: &[String],
) -> Result<Planned, SqlError> {
    let tokens = tokens_of(statement)?;
    let words = words(&tokens);
    let tables: Vec<Arc<Table>> = words.iter().filter_map(|word| scope.table(word)).cloned().collect();
    let mut views: Vec<PlannedView> = Vec::new();
    for definition in words.iter().filter_map(|word| scope.views.get(word)) {
        views.push(views::plan(scope, definition, environment, inside).await?);
    }
    let mut relations: Vec<Relation> = tables.iter().map(|table| Relation::of(table)).collect();
    relations.extend(views.iter().map(PlannedView::relation));
    let mut elsewhere: Vec<Elsewhere> = Vec::new();
    for neighbour in scope.named(&words) {
        let tables: Vec<Arc<Table>> = words.iter().filter_map(|word| neighbour.scope.table(word)).cloned().collect();
        let mut views: Vec<PlannedView> = Vec::new();
        for definition in words.iter().filter_map(|word| neighbour.scope.views.get(word)) {
            views.push(views::plan(&neighbour.scope, definition, environment, inside).await?);
        }
        relations.push(Relation { name: neighbour.name.clone(), columns: Vec::new() });
        relations.extend(tables.iter().map(|table| Relation::of(table)));
        relations.extend(views.iter().map(PlannedView::relation));
        elsewhere.push(Elsewhere { name: neighbour.name.clone(), tables, views });
    }
    if !scope.neighbours.is_empty() {
        relations.push(Relation { name: CATALOG.to_owned(), columns: Vec::new() });
    }
    // Which table teaches its spelling first must not depend on chance.
    relations.sort_by(|one, other| one.name.cmp(&other.name));
    let spelled = spell(tokens, &relations);
    let parsed = match parse(&spelled)? {
        statement if only_reads(&statement) => statement,
        _ => return Err(SqlError::Statement { detail: ONLY_READ.into() }),
    };
    let context = session(environment).map_err(of_engine)?;
    for table in &tables {
        let name = TableReference::bare(spelled.word(&table.name).to_owned());
        context.register_table(name, Arc::new(Shown::new(table.clone(), &spelled))).map_err(of_engine)?;
    }
    for view in views {
        let name = TableReference::bare(spelled.word(&view.name).to_owned());
        context.register_table(name, view.shown(&spelled).map_err(of_engine)?).map_err(of_engine)?;
    }
    for Elsewhere { name, tables, views } in elsewhere {
        let schema = spelled.word(&name).to_owned();
        if let Some(catalog) = context.catalog(CATALOG) {
            catalog.register_schema(&schema, Arc::new(MemorySchemaProvider::new())).map_err(of_engine)?;
        }
        let place = |table: &str| TableReference::full(CATALOG, schema.clone(), spelled.word(table).to_owned());
        for table in &tables {
            let shown = Arc::new(Shown::new(table.clone(), &spelled));
            context.register_table(place(&table.name), shown).map_err(of_engine)?;
        }
        for view in views {
            let place = place(&view.name);
            context.register_table(place, view.shown(&spelled).map_err(of_engine)?).map_err(of_engine)?;
        }
    }
    let mut plan = context.state().statement_to_plan(parsed).await.map_err(of_engine)?;
    if !scope.parameters.is_empty() {
        let values = scope.parameters.iter().map(|(name, value)| (spelled.word(name).to_owned(), value.clone()));
        plan = plan.with_param_values(values.collect::<Vec<_>>()).map_err(of_engine)?;
    }
    // The statement was looked at; the plan is looked at too, so that nothing
    // slips through by a form of words that we did not think of.
    let only_reads = SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).with_allow_statements(false);
    only_reads.verify_plan(&plan).map_err(of_engine)?;
    Ok(Planned { spelled, plan, context })
}

const ONLY_READ: &str = "statements here only read: SELECT, WITH, VALUES or EXPLAIN";

fn tokens_of(statement: &str) -> Result<Vec<TokenWithSpan>, SqlError> {
    tokens(statement).map_err(|error| SqlError::Statement { detail: sentence(&error.to_string()) })
}

fn parse(spelled: &Spelled) -> Result<Statement, SqlError> {
    let mut parser =
        DFParserBuilder::new(spelled.tokens.clone()).with_dialect(&GenericDialect {}).build().map_err(of_engine)?;
    let mut statements = parser.parse_statements().map_err(of_engine)?;
    let refused = |detail: &str| Err(SqlError::Statement { detail: detail.to_owned() });
    match (statements.pop_front(), statements.is_empty()) {
        (None, _) => refused("there is no statement"),
        (Some(_), false) => refused("only one statement can be run at a time"),
        (Some(statement), true) => Ok(statement),
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
    // What a sort must leave free to merge what it has put on the disk: the
    // usual 10 MiB are more than a small limit has.
    config.options_mut().execution.sort_spill_reservation_bytes = 256 * 1024;
    let mut state = SessionStateBuilder::new().with_config(config).with_default_features().build();
    functions::add(&mut state);
    state
});

fn session(environment: &Arc<RuntimeEnv>) -> Result<SessionContext, DataFusionError> {
    let catalog = MemoryCatalogProvider::new();
    catalog.register_schema(SCHEMA, Arc::new(MemorySchemaProvider::new()))?;
    let state = SessionStateBuilder::new_from_existing(ENGINE.clone())
        .with_runtime_env(environment.clone())
        .with_catalog_list(Arc::new(MemoryCatalogProviderList::new()))
        .build();
    let context = SessionContext::new_with_state(state);
    context.register_catalog(CATALOG, Arc::new(catalog));
    Ok(context)
}

/// Returns the rows of a batch as JSON values.
pub(crate) fn json_rows(batch: &RecordBatch) -> Result<Vec<Vec<Json>>, SqlError> {
    let columns: Result<Vec<_>, _> = batch.columns().iter().map(values).collect();
    let columns = columns.map_err(|error| of_engine(error.into()))?;
    let mut columns: Vec<_> = columns.into_iter().map(Vec::into_iter).collect();
    let mut rows = Vec::with_capacity(batch.num_rows());
    for _ in 0..batch.num_rows() {
        rows.push(columns.iter_mut().map(|column| column.next().expect("columns are equally long")).collect());
    }
    Ok(rows)
}

/// Returns whose fault an error of the engine is, in its own words.
pub(crate) fn of_engine(error: DataFusionError) -> SqlError {
    match error.find_root() {
        DataFusionError::ResourcesExhausted(detail) => {
            let is_disk = detail.contains("disk space") || detail.contains("temporary");
            let (what, setting) = if is_disk {
                ("more room on the disk than statements may have", "sql_scratch_bytes_max")
            } else {
                ("more memory than a statement may have", "sql_bytes_max")
            };
            SqlError::Stopped { detail: format!("it needs {what} (setting \"{setting}\")") }
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
