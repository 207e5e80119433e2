//! SQL of the local workspace, over the pools.
//!
//! A pool is a schema of the catalog `loopwright`. Who may see it is asked of
//! `access`: `use-pool` to read, `data-push` to bring rows in, `admin-pool` to
//! change or remove what is there, as everywhere. What somebody may not see is
//! not there. Changes go through the pool's one writer, so they have commits,
//! and triggers see them.

mod copying;

use std::sync::{Arc, Weak};

use access::{Permission, Scope};
use base::error::chain;
use base::sql::SqlError;
use base::{Actor, BoxFuture, Clock};
use pools::rows::ColumnType;
use pools::{Pool, PushJobId, TablesError, Transform, Transformed};
use tokio::sync::mpsc;
use workspace::sql::{
    AnswerColumn, Answered, Asked, Change, Form, Name, Piece, StatementError, Statements, Understood, fits, understand,
    values,
};

/// The one catalog.
const CATALOG: &str = "loopwright";
/// The schema if nothing is said.
const SCHEMA: &str = "default";

/// Answers statements over the lake.
pub(crate) struct StatementsOfLake {
    pub(crate) access: Arc<access::Access>,
    pub(crate) pools: Arc<pools::Pools>,
    pub(crate) lake: Arc<lake::Lake>,
    pub(crate) clock: Arc<dyn Clock>,
    /// Has the volumes; it owns this.
    pub(crate) workspace: Weak<workspace::Workspace>,
}

impl Statements for StatementsOfLake {
    fn run(&self, asked: Asked) -> BoxFuture<'_, Result<Answered, StatementError>> {
        Box::pin(async move {
            let understood = understand(&asked.statement)?;
            check_catalog(asked.catalog.as_deref())?;
            let usable = self.usable(&asked.actor).await?;
            match understood {
                Understood::Question { statement } => self.ask(&asked, &usable, statement).await,
                Understood::Change { verb, table, statement, asks } => {
                    self.change(&asked, &usable, verb, &table, statement, asks).await
                }
                Understood::CreateSchema { name, if_not_exists } => {
                    self.create_schema(&asked, &usable, &name, if_not_exists).await
                }
                Understood::Copy(copy) => self.copy(&asked, &usable, copy).await,
                Understood::ShowCatalogs => {
                    self.show(&asked, values(&["catalog"], &[], &[vec![Some(CATALOG.into())]])).await
                }
                Understood::ShowSchemas { catalog, like } => {
                    check_catalog(catalog.and_then(|name| name.0.into_iter().next()).as_deref())?;
                    let names = usable.iter().map(|pool| pool.name.clone());
                    let names = names.filter(|name| like.as_ref().is_none_or(|like| fits(like, name)));
                    let rows: Vec<_> = names.map(|name| vec![Some(name)]).collect();
                    self.show(&asked, values(&["databaseName"], &[], &rows)).await
                }
                Understood::ShowTables { schema, like } => self.show_tables(&asked, &usable, schema, like).await,
                Understood::Describe { table, names_only } => self.describe(&asked, &usable, &table, names_only).await,
                Understood::Use(used) => {
                    check_catalog(used.catalog.as_deref())?;
                    if let Some(schema) = &used.schema {
                        pool_named(&usable, schema)?;
                    }
                    let (_, pieces) = mpsc::channel(1);
                    Ok(Answered { columns: Vec::new(), pieces, used: Some(used) })
                }
            }
        })
    }
}

impl StatementsOfLake {
    async fn usable(&self, actor: &Actor) -> Result<Vec<Pool>, StatementError> {
        let reach = self.access.reach(actor, Permission::UsePool).await.map_err(internal)?;
        let mut pools = self.pools.list().await.map_err(internal)?;
        pools.retain(|pool| reach.contains(&Scope::Pool(pool.id.to_string())));
        Ok(pools)
    }

    fn reading(asked: &Asked, usable: &[Pool]) -> Result<lake::Reading, StatementError> {
        let home = match &asked.schema {
            Some(schema) => Some(pool_named(usable, schema)?.id),
            None => usable.iter().find(|pool| pool.name.eq_ignore_ascii_case(SCHEMA)).map(|pool| pool.id),
        };
        let parameters = asked.parameters.iter().map(|parameter| lake::Parameter {
            name: parameter.name.clone(),
            value: parameter.value.clone(),
            kind: parameter.kind.clone(),
        });
        Ok(lake::Reading {
            home,
            pools: usable.iter().map(|pool| (pool.name.clone(), pool.id)).collect(),
            parameters: parameters.collect(),
        })
    }

    async fn ask(&self, asked: &Asked, usable: &[Pool], statement: String) -> Result<Answered, StatementError> {
        let reading = Self::reading(asked, usable)?;
        self.answer(asked, reading, statement).await
    }

    /// Answers what is known already, in the form that was asked for.
    async fn show(&self, asked: &Asked, statement: String) -> Result<Answered, StatementError> {
        self.answer(asked, lake::Reading::default(), statement).await
    }

    async fn answer(
        &self,
        asked: &Asked,
        reading: lake::Reading,
        statement: String,
    ) -> Result<Answered, StatementError> {
        let question = lake::Question {
            statement,
            reading,
            asked_by: asked.actor.name.clone(),
            form: match asked.form {
                Form::JsonArray => lake::Form::Json,
                Form::Csv => lake::Form::Csv,
                Form::ArrowStream => lake::Form::Arrow,
            },
            limits: lake::Limits {
                rows_max: asked.rows_max.unwrap_or(u64::MAX),
                bytes_max: asked.bytes_max.unwrap_or(u64::MAX),
                piece_rows: asked.chunk.rows,
                piece_bytes: asked.chunk.bytes,
            },
            stop: asked.stop.clone(),
        };
        let mut answer = self.lake.ask(question).await.map_err(of_sql)?;
        let columns = answer.columns.iter().map(column).collect();
        let (sender, pieces) = mpsc::channel(1);
        tokio::spawn(async move {
            while let Some(piece) = answer.pieces.recv().await {
                let piece = piece
                    .map(|piece| Piece { rows: piece.rows, bytes: piece.bytes, truncated: piece.truncated })
                    .map_err(of_sql);
                if sender.send(piece).await.is_err() {
                    return;
                }
            }
        });
        Ok(Answered { columns, pieces, used: None })
    }

    async fn change(
        &self,
        asked: &Asked,
        usable: &[Pool],
        verb: Change,
        table: &Name,
        statement: String,
        asks: bool,
    ) -> Result<Answered, StatementError> {
        let (pool, _) = place(asked, usable, table)?;
        let right = match verb {
            Change::Insert | Change::Create => Permission::DataPush,
            Change::Replace | Change::Update | Change::Delete | Change::Drop => Permission::AdminPool,
        };
        self.require(&asked.actor, pool, right).await?;
        let reading = Self::reading(asked, usable)?;
        if matches!(verb, Change::Update | Change::Delete) && asks && reading.home.is_some_and(|home| home != pool.id) {
            return Err(StatementError::unsupported(format!(
                "[UNSUPPORTED_FEATURE] a subquery in a change of \"{table}\" while another schema is in use: set \
                 \"schema\" to \"{}\", or leave it out",
                pool.name
            )));
        }
        let job = PushJobId::from_bytes(asked.key);
        let transform = Transform {
            pool: pool.id,
            job,
            statement,
            at: self.clock.now(),
            causes: asked.actor.causes.clone(),
            stop: asked.stop.clone(),
        };
        let done = match self.lake.change(transform, &asked.actor.name, &reading).await {
            // A commit that failed may have happened all the same.
            Err(error @ (TablesError::BrokenDisk { .. } | TablesError::Failed { .. })) => {
                let tables: &dyn pools::Tables = &*self.lake;
                match tables.outcome(pool.id, job).await {
                    Ok(Some(committed)) => Transformed::Committed(committed),
                    _ => return Err(of_tables(error)),
                }
            }
            done => done.map_err(of_tables)?,
        };
        let (upserted, deleted) = match done {
            Transformed::Committed(committed) => (committed.upserted, committed.deleted),
            _ => (0, 0),
        };
        match verb {
            Change::Drop => {
                let (_, pieces) = mpsc::channel(1);
                Ok(Answered { columns: Vec::new(), pieces, used: None })
            }
            Change::Update => self.show(asked, counts(&[("num_affected_rows", upserted)])).await,
            Change::Delete => self.show(asked, counts(&[("num_affected_rows", deleted)])).await,
            Change::Insert | Change::Create | Change::Replace => {
                self.show(asked, counts(&[("num_affected_rows", upserted), ("num_inserted_rows", upserted)])).await
            }
        }
    }

    async fn create_schema(
        &self,
        asked: &Asked,
        usable: &[Pool],
        name: &Name,
        if_not_exists: bool,
    ) -> Result<Answered, StatementError> {
        let name = match &name.0[..] {
            [name] => name,
            [catalog, name] => {
                check_catalog(Some(catalog))?;
                name
            }
            _ => return Err(StatementError::bad(format!("\"{name}\" is no name of a schema: write loopwright.name"))),
        };
        let exists = usable.iter().any(|pool| pool.name.eq_ignore_ascii_case(name));
        if exists && !if_not_exists {
            return Err(coded("42P06", format!("[SCHEMA_ALREADY_EXISTS] the schema \"{name}\" exists already")));
        }
        if !exists {
            self.access.require(&asked.actor, Permission::CreatePool, &Scope::Team).await.map_err(denied)?;
            let pool = self
                .pools
                .create(&asked.actor, name)
                .await
                .map_err(|error| StatementError::bad(chain(&error).to_string()))?;
            self.access.entrust(&asked.actor, &Scope::Pool(pool.id.to_string())).await.map_err(internal)?;
        }
        let (_, pieces) = mpsc::channel(1);
        Ok(Answered { columns: Vec::new(), pieces, used: None })
    }

    async fn show_tables(
        &self,
        asked: &Asked,
        usable: &[Pool],
        schema: Option<Name>,
        like: Option<String>,
    ) -> Result<Answered, StatementError> {
        let schema = match schema {
            Some(name) => schema_of(&name.0)?,
            None => asked.schema.clone().unwrap_or_else(|| SCHEMA.into()),
        };
        let pool = pool_named(usable, &schema)?;
        let tables = self.pools.explore(pool.id).await.map_err(internal)?;
        let names = tables.into_iter().map(|table| table.info.name);
        let names = names.filter(|name| like.as_ref().is_none_or(|like| fits(like, name)));
        let rows: Vec<_> = names.map(|name| vec![Some(pool.name.clone()), Some(name), Some("false".into())]).collect();
        self.show(asked, values(&["database", "tableName", "isTemporary"], &["isTemporary"], &rows)).await
    }

    async fn describe(
        &self,
        asked: &Asked,
        usable: &[Pool],
        table: &Name,
        names_only: bool,
    ) -> Result<Answered, StatementError> {
        let (pool, name) = place(asked, usable, table)?;
        let tables = self.pools.explore(pool.id).await.map_err(internal)?;
        let known = tables.into_iter().find(|known| known.info.name.eq_ignore_ascii_case(&name));
        let known = known.ok_or_else(|| no_table(&table.to_string()))?;
        let columns = known.info.schema.columns.into_iter();
        if names_only {
            let rows: Vec<_> = columns.map(|column| vec![Some(column.name)]).collect();
            return self.show(asked, values(&["col_name"], &[], &rows)).await;
        }
        let rows: Vec<_> = columns
            .map(|column| vec![Some(column.name), Some(word(column.column_type).to_lowercase()), None])
            .collect();
        self.show(asked, values(&["col_name", "data_type", "comment"], &[], &rows)).await
    }

    async fn require(&self, actor: &Actor, pool: &Pool, right: Permission) -> Result<(), StatementError> {
        self.access.require(actor, right, &Scope::Pool(pool.id.to_string())).await.map_err(denied)
    }
}

fn counts(counts: &[(&str, u64)]) -> String {
    let columns = counts.iter().map(|(name, count)| format!("CAST({count} AS BIGINT) AS \"{name}\""));
    format!("SELECT {}", columns.collect::<Vec<_>>().join(", "))
}

/// Returns the word of SQL for a type of a column.
fn word(column_type: ColumnType) -> &'static str {
    match column_type {
        ColumnType::Integer => "BIGINT",
        ColumnType::Float => "DOUBLE",
        ColumnType::Time => "TIMESTAMP",
        ColumnType::Boolean => "BOOLEAN",
        ColumnType::Text => "STRING",
    }
}

/// Says a column in the words of the API.
fn column(column: &lake::Column) -> AnswerColumn {
    let kind = column.kind.as_str();
    let (mut precision, mut scale) = (None, None);
    let type_name = match kind {
        "BIGINT" => "LONG",
        "SMALLINT" => "SHORT",
        "TINYINT" => "BYTE",
        "VOID" => "NULL",
        "TIMESTAMP_NTZ" => "TIMESTAMP",
        "BOOLEAN" | "INT" | "FLOAT" | "DOUBLE" | "DATE" | "TIMESTAMP" | "BINARY" | "INTERVAL" | "STRING" => kind,
        _ if kind.starts_with("DECIMAL(") => {
            let inner = kind.trim_start_matches("DECIMAL(").trim_end_matches(')');
            if let Some((digits, behind)) = inner.split_once(',') {
                (precision, scale) = (digits.parse().ok(), behind.parse().ok());
            }
            "DECIMAL"
        }
        _ if kind.starts_with("ARRAY<") => "ARRAY",
        _ if kind.starts_with("STRUCT<") => "STRUCT",
        _ => "STRING",
    };
    AnswerColumn {
        name: column.name.clone(),
        type_name: type_name.to_owned(),
        type_text: kind.to_owned(),
        precision,
        scale,
    }
}

/// Finds the pool and the plain name of a table.
fn place<'a>(asked: &Asked, usable: &'a [Pool], table: &Name) -> Result<(&'a Pool, String), StatementError> {
    let (schema, name) = match &table.0[..] {
        [name] => (asked.schema.clone().unwrap_or_else(|| SCHEMA.into()), name),
        [schema, name] => (schema.clone(), name),
        [catalog, schema, name] => {
            check_catalog(Some(catalog))?;
            (schema.clone(), name)
        }
        _ => return Err(no_table(&table.to_string())),
    };
    Ok((pool_named(usable, &schema)?, name.clone()))
}

fn schema_of(parts: &[String]) -> Result<String, StatementError> {
    match parts {
        [schema] => Ok(schema.clone()),
        [catalog, schema] => {
            check_catalog(Some(catalog))?;
            Ok(schema.clone())
        }
        _ => Err(StatementError::bad("a schema is named \"loopwright.<pool>\" or \"<pool>\"")),
    }
}

fn check_catalog(catalog: Option<&str>) -> Result<(), StatementError> {
    match catalog {
        Some(catalog) if !catalog.eq_ignore_ascii_case(CATALOG) => Err(coded(
            "42704",
            format!("[NO_SUCH_CATALOG_EXCEPTION] there is no catalog \"{catalog}\": the one here is \"{CATALOG}\""),
        )),
        _ => Ok(()),
    }
}

fn pool_named<'a>(usable: &'a [Pool], name: &str) -> Result<&'a Pool, StatementError> {
    let exact = usable.iter().find(|pool| pool.name == name);
    exact.or_else(|| usable.iter().find(|pool| pool.name.eq_ignore_ascii_case(name))).ok_or_else(|| {
        coded(
            "42704",
            format!(
                "[SCHEMA_NOT_FOUND] there is no schema \"{name}\" that you may use: a schema is a pool, and SHOW \
                 SCHEMAS lists yours"
            ),
        )
    })
}

fn no_table(name: &str) -> StatementError {
    coded("42P01", format!("[TABLE_OR_VIEW_NOT_FOUND] there is no table or view \"{name}\""))
}

fn coded(sql_state: &'static str, message: String) -> StatementError {
    StatementError { code: "BAD_REQUEST", message, sql_state: Some(sql_state) }
}

fn denied(error: access::Error) -> StatementError {
    StatementError::denied(chain(&error).to_string())
}

fn internal(error: impl std::error::Error) -> StatementError {
    tracing::error!(error = %chain(&error), "a statement of the workspace failed inside");
    StatementError::internal("something failed inside; the log of the server says what")
}

fn of_sql(error: SqlError) -> StatementError {
    match error {
        SqlError::Statement { detail } => of_detail(detail),
        SqlError::Stopped { detail } => {
            let code = if detail.contains("longer than") { "DEADLINE_EXCEEDED" } else { "RESOURCE_EXHAUSTED" };
            StatementError { code, message: detail, sql_state: None }
        }
        other => internal(other),
    }
}

fn of_tables(error: TablesError) -> StatementError {
    match error {
        TablesError::UnknownTable { table } => no_table(&table),
        TablesError::Statement { detail } | TablesError::Mismatch { detail, .. } => of_detail(detail),
        TablesError::Stopped { detail } => of_sql(SqlError::Stopped { detail }),
        error @ TablesError::Moved { .. } => {
            StatementError { code: "ABORTED", message: error.to_string(), sql_state: Some("40001") }
        }
        error @ TablesError::Full => {
            StatementError { code: "RESOURCE_EXHAUSTED", message: error.to_string(), sql_state: None }
        }
        other => internal(other),
    }
}

/// Gives what the engine says the class that the API would give it.
fn of_detail(detail: String) -> StatementError {
    let is_table = detail.starts_with("table '") && detail.contains("not found");
    if is_table {
        return coded(
            "42P01",
            format!(
                "[TABLE_OR_VIEW_NOT_FOUND] {detail}: name it loopwright.<pool>.<table>, or give \"schema\" with the \
                 statement"
            ),
        );
    }
    if detail.contains("No field named") || detail.contains("no field named") {
        return coded("42703", format!("[UNRESOLVED_COLUMN] {detail}"));
    }
    if detail.contains("sql parser error") || detail.starts_with("expected:") || detail.starts_with("Expected") {
        return coded("42601", format!("[PARSE_SYNTAX_ERROR] {detail}"));
    }
    StatementError::bad(detail)
}
