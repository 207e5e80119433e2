//! What a statement of a data job comes to: a question, and what its rows do to
//! which table.
//!
//! The engine only ever answers questions; rows are written by commits. A table
//! with keys is changed row by row: an UPDATE brings keys and new values, a
//! DELETE brings keys. A table without keys is made anew from the rows that
//! stay and those that changed, in the order in which they had arrived.

use datafusion::sql::sqlparser::ast::{
    AssignmentTarget, CreateTable, CreateView, Delete, Expr, FromTable, Insert, ObjectName, ObjectType,
    Statement as SqlStatement, TableFactor, TableObject, TableWithJoins, Update,
};
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::tokenizer::{Location, Token};
use pools::rows::ColumnSchema;
use pools::{CHANGE_DATE_COLUMN, CommitNumber, Mode, SEQ_COLUMN, TablesError, ViewDefinition};

use crate::scope::Scope;
use crate::spelling::tokens;
use crate::table::Table;

/// Name of the column that marks the rows which an UPDATE changed.
pub(crate) const CHANGED: &str = "~changed";

/// What a statement comes to.
#[derive(Debug)]
pub(crate) enum Action {
    /// Nothing is to be done.
    Nothing,
    /// Rows are written.
    Write(Write),
    /// A table goes.
    Drop { table: String },
    /// A view is kept.
    MakeView(ViewDefinition),
    /// A view goes.
    DropView(String),
}

/// A question, and what becomes of its rows.
#[derive(Debug)]
pub(crate) struct Write {
    pub(crate) table: String,
    pub(crate) question: String,
    pub(crate) mode: Mode,
    /// The rows are keys to delete.
    pub(crate) deletes: bool,
    /// The columns that the rows are for, by place; empty if the question names
    /// its own.
    pub(crate) columns: Vec<ColumnSchema>,
    /// The table must not have changed since this commit.
    pub(crate) only_after: Option<CommitNumber>,
    /// How its rows are counted.
    pub(crate) counts: Counts,
}

/// What the number of rows of a write means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Counts {
    /// All rows count, and none is no reason not to commit.
    Always,
    /// All rows count; if there are none, nothing happened.
    Rows,
    /// Rows with [`CHANGED`] count; if there are none, nothing happened.
    Changed,
    /// Rows that are missing count, out of so many; likewise.
    Missing(u64),
}

/// Finds out what a statement comes to. `statement` is the text of `parsed`.
pub(crate) fn action(parsed: SqlStatement, statement: &str, scope: &Scope) -> Result<Action, TablesError> {
    match parsed {
        SqlStatement::CreateTable(create) => create_table(&create, statement, scope),
        SqlStatement::CreateView(create) => create_view(&create, statement, scope),
        SqlStatement::Drop { object_type, if_exists, names, .. } => drop(object_type, if_exists, &names, scope),
        SqlStatement::Insert(insert) => insert_into(&insert, scope),
        SqlStatement::Update(update) => update_of(&update, scope),
        SqlStatement::Delete(delete) => delete_from(&delete, scope),
        other => Err(wrong(format!(
            "a transformation is CREATE TABLE … AS, CREATE VIEW, DROP, INSERT, UPDATE or DELETE, not: {other}"
        ))),
    }
}

fn wrong(detail: impl Into<String>) -> TablesError {
    TablesError::Statement { detail: detail.into() }
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn plain(name: &ObjectName) -> Result<String, TablesError> {
    match &name.0[..] {
        [part] => part.as_ident().map(|ident| ident.value.clone()).ok_or_else(|| wrong(format!("{name} is no name"))),
        _ => Err(wrong(format!("tables have plain names here: {name} has several parts"))),
    }
}

fn create_table(create: &CreateTable, statement: &str, scope: &Scope) -> Result<Action, TablesError> {
    let name = plain(&create.name)?;
    if create.temporary || create.external {
        return Err(wrong("tables stay: leave TEMPORARY or EXTERNAL out, and drop the table at the end"));
    }
    if create.query.is_none() {
        return Err(wrong(format!("CREATE TABLE {name} needs AS and a SELECT: columns come from rows here")));
    }
    if !create.columns.is_empty() {
        return Err(wrong(format!("CREATE TABLE {name} takes its columns from the SELECT: name them there with AS")));
    }
    if scope.view(&name).is_some() {
        return Err(wrong(format!("\"{name}\" is a view: drop it first")));
    }
    if scope.table(&name).is_some() && !create.or_replace {
        return match create.if_not_exists {
            true => Ok(Action::Nothing),
            false => Err(wrong(format!("table \"{name}\" exists already: write CREATE OR REPLACE TABLE"))),
        };
    }
    let before = scope.view.tables.get(&name.to_ascii_lowercase()).map_or(0, |table| table.changed_by);
    Ok(Action::Write(Write {
        table: name,
        question: after_as(statement)?,
        mode: Mode::Replace,
        deletes: false,
        columns: Vec::new(),
        only_after: (!create.or_replace).then_some(before),
        counts: Counts::Always,
    }))
}

fn create_view(create: &CreateView, statement: &str, scope: &Scope) -> Result<Action, TablesError> {
    let name = plain(&create.name)?;
    if create.materialized || create.temporary {
        return Err(wrong("a view is a plain view here: for rows that are kept, write CREATE TABLE … AS"));
    }
    if !create.columns.is_empty() {
        return Err(wrong(format!("view {name} takes its columns from the SELECT: name them there with AS")));
    }
    if scope.table(&name).is_some() {
        return Err(wrong(format!("\"{name}\" is a table: drop it first")));
    }
    if scope.view(&name).is_some() && !create.or_replace {
        return match create.if_not_exists {
            true => Ok(Action::Nothing),
            false => Err(wrong(format!("view \"{name}\" exists already: write CREATE OR REPLACE VIEW"))),
        };
    }
    Ok(Action::MakeView(ViewDefinition { name, query: after_as(statement)? }))
}

fn drop(what: ObjectType, if_exists: bool, names: &[ObjectName], scope: &Scope) -> Result<Action, TablesError> {
    let [name] = names else { return Err(wrong("DROP one table or view at a time")) };
    let name = plain(name)?;
    match (what, scope.table(&name), scope.view(&name)) {
        (ObjectType::Table, Some(table), _) => Ok(Action::Drop { table: table.name.clone() }),
        (ObjectType::View, _, Some(view)) => Ok(Action::DropView(view.name.clone())),
        (ObjectType::Table, None, Some(_)) => Err(wrong(format!("\"{name}\" is a view: write DROP VIEW"))),
        (ObjectType::View, Some(_), None) => Err(wrong(format!("\"{name}\" is a table: write DROP TABLE"))),
        (ObjectType::Table | ObjectType::View, None, None) if if_exists => Ok(Action::Nothing),
        (ObjectType::Table, None, None) => Err(TablesError::UnknownTable { table: name }),
        (ObjectType::View, None, None) => Err(wrong(format!("view \"{name}\" does not exist"))),
        (other, ..) => Err(wrong(format!("DROP removes a TABLE or a VIEW here, not a {other}"))),
    }
}

fn known<'a>(name: &ObjectName, scope: &'a Scope) -> Result<&'a Table, TablesError> {
    let name = plain(name)?;
    match (scope.table(&name), scope.view(&name)) {
        (Some(table), _) => Ok(table),
        (None, Some(_)) => Err(wrong(format!("\"{name}\" is a view: change the tables behind it"))),
        (None, None) => Err(TablesError::UnknownTable { table: name }),
    }
}

fn is_change_date(column: &ColumnSchema) -> bool {
    column.name.eq_ignore_ascii_case(CHANGE_DATE_COLUMN)
}

fn insert_into(insert: &Insert, scope: &Scope) -> Result<Action, TablesError> {
    let TableObject::TableName(name) = &insert.table else { return Err(wrong("INSERT INTO needs a table")) };
    let table = known(name, scope)?;
    if insert.on.is_some() || insert.returning.is_some() || insert.overwrite || !insert.assignments.is_empty() {
        return Err(wrong("INSERT INTO takes a SELECT or VALUES and nothing after it"));
    }
    let Some(source) = &insert.source else { return Err(wrong("INSERT INTO needs a SELECT or VALUES")) };
    let all = &table.shape.schema.columns;
    let columns = if insert.columns.is_empty() {
        all.clone()
    } else {
        let mut columns: Vec<ColumnSchema> = Vec::new();
        for name in &insert.columns {
            let name = plain(name)?;
            let place = table.shape.schema.position(&name);
            let place = place.ok_or_else(|| wrong(format!("table \"{}\" has no column \"{name}\"", table.name)))?;
            if columns.iter().any(|column| column.name == all[place].name) {
                return Err(wrong(format!("column \"{name}\" stands twice in INSERT INTO {}", table.name)));
            }
            columns.push(all[place].clone());
        }
        columns
    };
    if let Some(key) = table.shape.keys.iter().find(|key| !columns.iter().any(|column| column.name == **key)) {
        return Err(wrong(format!("INSERT INTO {} brings no key column \"{key}\"", table.name)));
    }
    let mode = match table.shape.keys.is_empty() {
        true => Mode::Append,
        false => Mode::Upsert { keys: table.shape.keys.clone(), keep_missing: false },
    };
    Ok(Action::Write(Write {
        table: table.name.clone(),
        question: source.to_string(),
        mode,
        deletes: false,
        columns,
        only_after: None,
        counts: Counts::Rows,
    }))
}

/// Returns the one table that a statement changes, and how the statement writes
/// it, other name included.
fn target<'a>(from: &TableWithJoins, scope: &'a Scope) -> Result<(&'a Table, String), TablesError> {
    let TableFactor::Table { name, .. } = &from.relation else { return Err(wrong("a table is missing")) };
    if !from.joins.is_empty() {
        return Err(wrong("one table is changed at a time: bring in others by a subquery"));
    }
    Ok((known(name, scope)?, from.relation.to_string()))
}

fn update_of(update: &Update, scope: &Scope) -> Result<Action, TablesError> {
    let (table, from) = target(&update.table, scope)?;
    if update.from.is_some() || update.returning.is_some() || update.limit.is_some() {
        return Err(wrong("UPDATE takes SET and WHERE only: bring in other tables by a subquery"));
    }
    let mut set: Vec<(usize, &Expr)> = Vec::new();
    for assignment in &update.assignments {
        let AssignmentTarget::ColumnName(name) = &assignment.target else {
            return Err(wrong("UPDATE sets one column at a time: SET a = …, b = …"));
        };
        let name = name.0.last().and_then(|part| part.as_ident()).map_or("", |ident| ident.value.as_str());
        let place = table.shape.schema.position(name);
        let place = place.ok_or_else(|| wrong(format!("table \"{}\" has no column \"{name}\"", table.name)))?;
        if table.shape.keys.iter().any(|key| key.eq_ignore_ascii_case(name)) {
            return Err(wrong(format!("\"{name}\" is a key of \"{}\": delete the row and insert another", table.name)));
        }
        if is_change_date(&table.shape.schema.columns[place]) {
            return Err(wrong(format!("\"{CHANGE_DATE_COLUMN}\" is set by itself")));
        }
        if set.iter().any(|(other, _)| *other == place) {
            return Err(wrong(format!("column \"{name}\" is set twice")));
        }
        set.push((place, &assignment.value));
    }
    let all = &table.shape.schema.columns;
    let (question, columns, mode, counts) = if table.shape.keys.is_empty() {
        let columns: Vec<ColumnSchema> = all.iter().filter(|column| !is_change_date(column)).cloned().collect();
        let named = |place: usize, column: &ColumnSchema| {
            let value = set.iter().find(|(other, _)| *other == place).map(|(_, value)| format!("({value})"));
            format!("{} AS {}", value.unwrap_or_else(|| quoted(&column.name)), quoted(&column.name))
        };
        let changed = all.iter().enumerate().filter(|(_, column)| !is_change_date(column));
        let changed: Vec<String> = changed.map(|(place, column)| named(place, column)).collect();
        let mut question = format!(
            "SELECT {}, 1 AS {}, {SEQ_COLUMN} FROM {from}{}",
            changed.join(", "),
            quoted(CHANGED),
            filter(update.selection.as_ref()),
        );
        if update.selection.is_some() {
            question += &format!(
                " UNION ALL SELECT {}, 0 AS {}, {SEQ_COLUMN} FROM {}",
                list(&columns),
                quoted(CHANGED),
                without(table, &from, update.selection.as_ref()),
            );
        }
        question += &format!(" ORDER BY {SEQ_COLUMN}");
        (question, columns, Mode::Replace, Counts::Changed)
    } else {
        let keys = table.shape.keys.iter().map(|key| key_of(table, key));
        let mut columns: Vec<ColumnSchema> = keys.collect();
        let mut wanted: Vec<String> = columns.iter().map(|column| quoted(&column.name)).collect();
        for (place, value) in &set {
            wanted.push(format!("({value}) AS {}", quoted(&all[*place].name)));
            columns.push(all[*place].clone());
        }
        let filter = filter(update.selection.as_ref());
        // What changes arrives anew, in the order in which it had arrived.
        let question = format!("SELECT {} FROM {from}{filter} ORDER BY {SEQ_COLUMN}", wanted.join(", "));
        let mode = Mode::Upsert { keys: table.shape.keys.clone(), keep_missing: true };
        (question, columns, mode, Counts::Rows)
    };
    let only_after = Some(table.changed_by);
    Ok(Action::Write(Write { table: table.name.clone(), question, mode, deletes: false, columns, only_after, counts }))
}

fn delete_from(delete: &Delete, scope: &Scope) -> Result<Action, TablesError> {
    let (FromTable::WithFromKeyword(from) | FromTable::WithoutKeyword(from)) = &delete.from;
    let [from] = &from[..] else { return Err(wrong("DELETE FROM takes one table at a time")) };
    let (table, from) = target(from, scope)?;
    if delete.using.is_some() || delete.returning.is_some() || delete.limit.is_some() || !delete.tables.is_empty() {
        return Err(wrong("DELETE FROM takes WHERE only: bring in other tables by a subquery"));
    }
    let only_after = Some(table.changed_by);
    if table.shape.keys.is_empty() {
        let all = table.shape.schema.columns.iter();
        let columns: Vec<ColumnSchema> = all.filter(|column| !is_change_date(column)).cloned().collect();
        let rest = match &delete.selection {
            Some(_) => without(table, &from, delete.selection.as_ref()),
            None => format!("{from} WHERE FALSE"),
        };
        return Ok(Action::Write(Write {
            table: table.name.clone(),
            question: format!("SELECT {}, {SEQ_COLUMN} FROM {rest} ORDER BY {SEQ_COLUMN}", list(&columns)),
            mode: Mode::Replace,
            deletes: false,
            columns,
            only_after,
            counts: Counts::Missing(table.rows()?),
        }));
    }
    let columns: Vec<ColumnSchema> = table.shape.keys.iter().map(|key| key_of(table, key)).collect();
    let question = format!("SELECT {} FROM {from}{}", list(&columns), filter(delete.selection.as_ref()));
    Ok(Action::Write(Write {
        table: table.name.clone(),
        question,
        mode: Mode::Upsert { keys: table.shape.keys.clone(), keep_missing: true },
        deletes: true,
        columns,
        only_after,
        counts: Counts::Rows,
    }))
}

fn key_of(table: &Table, key: &str) -> ColumnSchema {
    let place = table.shape.schema.position(key).expect("keys are columns");
    table.shape.schema.columns[place].clone()
}

fn list(columns: &[ColumnSchema]) -> String {
    columns.iter().map(|column| quoted(&column.name)).collect::<Vec<_>>().join(", ")
}

fn filter(selection: Option<&Expr>) -> String {
    selection.map_or_else(String::new, |selection| format!(" WHERE {selection}"))
}

/// Returns the table without the rows that a condition holds for. They are
/// named by `_seq`: to ask where the condition does not hold would lose the
/// rows of which nobody knows.
fn without(table: &Table, from: &str, selection: Option<&Expr>) -> String {
    let table = quoted(&table.name);
    let filter = filter(selection);
    format!(
        "{table} LEFT ANTI JOIN (SELECT {SEQ_COLUMN} AS \"~seq\" FROM {from}{filter}) AS \"~met\" \
         ON {table}.{SEQ_COLUMN} = \"~met\".\"~seq\""
    )
}

/// Returns the question of CREATE … AS, as it was written.
fn after_as(statement: &str) -> Result<String, TablesError> {
    let tokens = tokens(statement).map_err(|error| wrong(error.to_string()))?;
    let at = tokens.iter().find(|token| matches!(&token.token, Token::Word(word) if word.keyword == Keyword::AS));
    let at = at.ok_or_else(|| wrong("AS and a SELECT are missing"))?;
    Ok(statement[offset(statement, at.span.end)..].trim().to_owned())
}

/// Returns where in a text a line and a column are, both counted from 1.
fn offset(text: &str, place: Location) -> usize {
    let before: usize = text.split_inclusive('\n').take(place.line as usize - 1).map(str::len).sum();
    let line = &text[before..];
    let within = line.char_indices().nth(place.column as usize - 1).map_or(line.len(), |(within, _)| within);
    before + within
}
