//! What the values of a record's fields are like, in figures.

use super::{Asking, type_of_attribute};
use crate::Error;
use crate::knowledge_model::ColumnType;
use crate::pql::check::More;
use crate::pql::syntax::{Call, Expr, ExprKind, Query, QueryColumn, Span};
use crate::value::{Type, Value};

/// What the values of a field are like.
#[derive(Clone, Debug, PartialEq)]
pub struct FieldSummary {
    /// Its id.
    pub id: String,
    /// What people read.
    pub name: String,
    /// What it holds.
    pub column_type: ColumnType,
    /// Instances that have a value.
    pub count: Value,
    /// Different values.
    pub distinct: Value,
    /// The smallest.
    pub min: Value,
    /// The largest.
    pub max: Value,
    /// The mean of a number.
    pub avg: Value,
}

pub(super) fn of_record(asking: &Asking<'_>, id: &str) -> Result<Vec<FieldSummary>, Error> {
    let record = asking.record(id)?;
    let mut filters = Vec::new();
    for id in &record.filter_ids {
        asking.add_filter(&id.value, &mut filters, &mut std::collections::HashSet::new())?;
    }
    let more = More {
        stands_on: vec![asking.checker().table(&record.pql.value)?],
        where_joined: super::global_filters(asking.model)?,
        ..More::default()
    };
    let mut summaries = Vec::new();
    for attribute in record.all_attributes() {
        let known = asking.known(attribute)?;
        let is_number = matches!(known.field_type, Type::Int | Type::Float);
        let call = |name: &str, distinct: bool| QueryColumn {
            value: aggregate(name, distinct, known.expr.clone()),
            name: None,
        };
        let mut columns = vec![call("COUNT", false), call("COUNT", true), call("MIN", false), call("MAX", false)];
        if is_number {
            columns.push(call("AVG", false));
        }
        let query = Query { filters: filters.clone(), columns, ..Query::default() };
        let mut row = asking.ask(&query, &more)?.rows.into_iter().next().unwrap_or_default().into_iter();
        let mut next = || row.next().unwrap_or(Value::Null);
        summaries.push(FieldSummary {
            id: attribute.id.value.clone(),
            name: attribute.display_name.clone().unwrap_or_else(|| attribute.id.value.clone()),
            column_type: type_of_attribute(attribute, known.field_type),
            count: next(),
            distinct: next(),
            min: next(),
            max: next(),
            avg: next(),
        });
    }
    Ok(summaries)
}

fn aggregate(name: &str, distinct: bool, value: Expr) -> Expr {
    let span = Span::default();
    let call = Call { name: name.to_owned(), name_span: span, distinct, arguments: vec![value], order_by: Vec::new() };
    Expr { kind: ExprKind::Call(call), span }
}
