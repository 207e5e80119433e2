//! Statements of SQL, up to the last chunk of what they give.

use std::time::Duration;

use base::Timestamp;
use serde_json::{Value as Json, json};

use super::ask::of_statement;
use super::runs::span;
use super::{Ask, Kind, Known, Next, Watched, What};
use crate::databricks::problem::Subject;
use crate::databricks::{statement, text_of};
use crate::modules::{Class, ModuleError};
use crate::value::Value;

/// How long a workspace itself waits for a statement before it answers.
const STATEMENT_WAIT: &str = "10s";

/// A statement of SQL.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Sql {
    pub(crate) body: Json,
    pub(crate) deadline: Option<Duration>,
    /// All rows come in one bundle.
    pub(crate) together: bool,
    /// Repeating it does no harm.
    pub(crate) is_safe: bool,
}

pub(super) fn queries(sql: &Sql, known: &Known, now: Timestamp) -> Next {
    match result_of(sql, known, now) {
        Err(next) => *next,
        Ok(ended) => {
            if !sql.together {
                return Next::Done(Ok(known.rows.clone()));
            }
            let count = Value::Int(known.rows.len() as i64);
            Next::Done(Ok(vec![Value::collection([
                ("rows", Value::array(known.rows.clone())),
                ("count", count),
                ("columns", Value::from_json(statement::columns(&ended["manifest"]))),
                ("truncated", Value::Bool(ended["manifest"]["truncated"].as_bool().unwrap_or(false))),
                ("statement_id", Value::text(text_of(ended, "statement_id"))),
            ])]))
        }
    }
}

/// Brings a statement to its end and fetches all that it gives; whatever is
/// still to be done stands in the error.
pub(super) fn result_of<'a>(sql: &Sql, known: &'a Known, now: Timestamp) -> Result<&'a Json, Box<Next>> {
    let warehouse = text_of(&sql.body, "warehouse_id");
    let Some(id) = &known.statement else {
        let mut body = sql.body.clone();
        body["wait_timeout"] = STATEMENT_WAIT.into();
        body["on_wait_timeout"] = "CONTINUE".into();
        let subject = Subject {
            what: format!("the warehouse \"{warehouse}\""),
            right: "CAN USE",
            find: "look at its id under SQL Warehouses",
        };
        let ask = Ask::post(What::Start, "/api/2.0/sql/statements", &body).about(subject);
        return Err(Box::new(Next::Ask(Ask { is_safe: sql.is_safe, ..ask })));
    };
    let Some(ended) = &known.ended else {
        let since = known.since(now);
        let deadline = sql.deadline.map(|deadline| since.plus(deadline));
        let is_late = deadline.is_some_and(|deadline| deadline <= now);
        return Err(Box::new(match (is_late, known.cancelled) {
            (true, false) => {
                let path = format!("/api/2.0/sql/statements/{id}/cancel");
                Next::Ask(Ask::post(What::Cancel, &path, &json!({})).about(of_statement(id)))
            }
            (true, true) => Next::Done(Err(ModuleError::new(
                Class::RuntimeError,
                format!("statement {id} was cancelled, because it took longer than {}", span(sql.deadline)),
            ))),
            (false, _) => Next::Watch(Watched { kind: Kind::Statement, id: id.clone(), since, deadline }),
        }));
    };
    if statement::standing(ended) == statement::Standing::Failed {
        return Err(Box::new(Next::Done(Err(statement::failure(ended)))));
    }
    if let Some((link, headers)) = known.links.first() {
        let ask = Ask::get(What::Link, link.clone());
        return Err(Box::new(Next::Ask(Ask { headers_elsewhere: Some(headers.clone()), ..ask })));
    }
    if let Some(chunk) = known.result.as_ref().and_then(|result| result["next"].as_i64()) {
        let path = format!("/api/2.0/sql/statements/{id}/result/chunks/{chunk}");
        return Err(Box::new(Next::Ask(Ask::get(What::Chunk, path).about(of_statement(id)))));
    }
    Ok(ended)
}
