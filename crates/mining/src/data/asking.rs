//! From a question to a query and its answer, on one root at one instant.

use std::collections::HashSet;
use std::sync::Arc;

use super::filter_language::{FilterMistake, Known, parse as parse_filter};
use super::{DataAnswer, DataQuestion, FIELDS_MAX, Header, QuestionFault, RECORDS_MAX, Search, global_filters, search};
use crate::Error;
use crate::evaluate;
use crate::knowledge_model::{Attribute, AttributeKind, ColumnType, KnowledgeModel, Kpi, Record};
use crate::log::EventLog;
use crate::pql::check::{Checker, Condition, More, Vocabulary, type_of};
use crate::pql::operators::hint;
use crate::pql::parse;
use crate::pql::syntax::{Expr, ExprKind, OrderBy, Query, QueryColumn, Span};
use crate::value::{Answer, Type, Value};

/// A model on a root at an instant, ready to be asked.
pub(super) struct Asking<'a> {
    pub(super) id: &'a str,
    pub(super) model: &'a KnowledgeModel,
    pub(super) vocabulary: &'a Vocabulary,
    pub(super) root: &'a Arc<EventLog>,
    pub(super) now: i64,
}

/// A column of the answer on its way.
struct Column<'a> {
    id: String,
    expr: Expr,
    of: Of<'a>,
}

enum Of<'a> {
    Field(&'a Attribute),
    Kpi(&'a Kpi),
}

impl<'a> Asking<'a> {
    pub(super) fn record(&self, id: &str) -> Result<&'a Record, Error> {
        let records = &self.model.records;
        records.iter().find(|record| record.id.value == id).ok_or_else(|| {
            let hint = hint(id, records.iter().map(|record| record.id.value.as_str()));
            QuestionFault::UnknownRecord { model: self.id.to_owned(), record: id.to_owned(), hint }.into()
        })
    }

    /// Finds a field as a question names it.
    fn field(&self, record: Option<&'a Record>, name: &str) -> Result<(&'a Record, &'a Attribute), QuestionFault> {
        let find = |record: &'a Record, id: &str| record.all_attributes().find(|attribute| attribute.id.value == id);
        let ids = |record: &'a Record| record.all_attributes().map(|attribute| attribute.id.value.clone());
        let (known, prefix): (Vec<String>, &str) = match record {
            Some(record) => match find(record, name) {
                Some(attribute) => return Ok((record, attribute)),
                None => (ids(record).collect(), ""),
            },
            None => {
                // An id may have a dot in it, so every way to cut is tried.
                for record in &self.model.records {
                    let id = name.strip_prefix(record.id.value.as_str()).and_then(|rest| rest.strip_prefix('.'));
                    if let Some(attribute) = id.and_then(|id| find(record, id)) {
                        return Ok((record, attribute));
                    }
                }
                let all = self.model.records.iter();
                let all = all.flat_map(|record| ids(record).map(move |id| format!("{}.{id}", record.id.value)));
                let prefix = if name.contains('.') { "" } else { "; a field is written RECORD.FIELD here" };
                (all.collect(), prefix)
            }
        };
        let hint = format!("{prefix}{}", hint(name, known.iter().map(String::as_str)));
        Err(QuestionFault::UnknownField { field: name.to_owned(), hint })
    }

    pub(super) fn checker(&self) -> Checker<'a> {
        Checker::new(self.root.catalog().clone(), self.vocabulary)
    }

    fn expr(text: &str) -> Result<Expr, Error> {
        Ok(parse::expression(text)?)
    }

    pub(super) fn answer(&self, question: &DataQuestion) -> Result<DataAnswer, Error> {
        let record = question.record.as_deref().map(|id| self.record(id)).transpose()?;
        if record.is_some() && !question.kpis.is_empty() {
            return Err(QuestionFault::KpiOfRecord.into());
        }
        let (columns, mut records) = self.columns(question, record)?;
        records.extend(record);
        let mut more = self.more(question, record, &mut records)?;
        if let Some(search) = &question.search {
            more.conditions.push(self.searched(search, record, &mut records)?);
        }
        // What a filter looks at need not be shown, but its record counts.
        let filter_ids: Vec<_> = records.iter().flat_map(|record| &record.filter_ids).collect();
        let mut filters = Vec::new();
        for id in filter_ids {
            self.add_filter(&id.value, &mut filters, &mut HashSet::new())?;
        }
        for id in &question.filters {
            if !self.model.filters.iter().any(|filter| filter.id.value == *id) {
                let hint = hint(id, self.model.filters.iter().map(|filter| filter.id.value.as_str()));
                return Err(QuestionFault::UnknownFilter { filter: id.clone(), hint }.into());
            }
            self.add_filter(id, &mut filters, &mut HashSet::new())?;
        }
        let query = Query {
            filters,
            distinct: question.distinct,
            order_by: order(&question.sort, &columns)?,
            columns: columns
                .iter()
                .map(|column| QueryColumn { value: column.expr.clone(), name: Some(column.id.clone()) })
                .collect(),
            limit: Some(RECORDS_MAX),
            ..Query::default()
        };
        let answer = self.ask(&query, &more)?;
        let headers = columns.iter().zip(&answer.columns);
        let headers = headers.map(|(column, answered)| header(column, answered.column_type)).collect();
        let total = answer.rows.len() as u64;
        let first = usize::try_from(question.page.saturating_mul(question.page_size)).unwrap_or(usize::MAX);
        let size = usize::try_from(question.page_size).unwrap_or(usize::MAX);
        let rows = answer.rows.into_iter().skip(first).take(size).collect();
        Ok(DataAnswer { headers, rows, total })
    }

    pub(super) fn ask(&self, query: &Query, more: &More) -> Result<Answer, Error> {
        let plan = self.checker().query_of(query, "", more)?;
        Ok(evaluate::answer(self.root.clone(), &plan, self.now))
    }

    /// Finds what is asked for, and the records of it.
    fn columns(
        &self,
        question: &DataQuestion,
        record: Option<&'a Record>,
    ) -> Result<(Vec<Column<'a>>, Vec<&'a Record>), Error> {
        let asked = question.fields.len() + question.kpis.len();
        if asked == 0 {
            return Err(QuestionFault::Nothing.into());
        }
        if asked > FIELDS_MAX {
            return Err(QuestionFault::TooMany { asked }.into());
        }
        let mut columns: Vec<Column<'_>> = Vec::new();
        let mut records = Vec::new();
        for name in &question.fields {
            let (record, attribute) = self.field(record, name)?;
            // Named twice, it is one column: a row has each key once.
            if columns.iter().any(|column| column.id == *name) {
                continue;
            }
            records.push(record);
            let expr = Self::expr(&attribute.pql.value)?;
            columns.push(Column { id: name.clone(), expr, of: Of::Field(attribute) });
        }
        for name in &question.kpis {
            let kpi = self.model.kpis.iter().find(|kpi| kpi.id.value == *name).ok_or_else(|| {
                let hint = hint(name, self.model.kpis.iter().map(|kpi| kpi.id.value.as_str()));
                QuestionFault::UnknownKpi { kpi: name.clone(), hint }
            })?;
            if columns.iter().any(|column| column.id == *name) {
                continue;
            }
            columns.push(Column { id: name.clone(), expr: Self::expr(&kpi.pql.value)?, of: Of::Kpi(kpi) });
        }
        Ok((columns, records))
    }

    /// Reads the texts in the filter language, and what the model adds.
    fn more(
        &self,
        question: &DataQuestion,
        record: Option<&'a Record>,
        records: &mut Vec<&'a Record>,
    ) -> Result<More, Error> {
        let mut more = More::default();
        if question.kpis.is_empty() {
            for record in records.iter() {
                more.stands_on.push(self.checker().table(&record.pql.value)?);
            }
        }
        for text in &question.filter_exprs {
            let refused = |mistake: FilterMistake| {
                let column = text[..mistake.at.min(text.len())].chars().count() + 1;
                QuestionFault::BadFilter { text: text.clone(), column, detail: mistake.detail }
            };
            let filter = parse_filter(text).map_err(refused)?;
            let condition = filter.condition(&mut |field| {
                let unknown = |fault: QuestionFault| FilterMistake { at: field.at, detail: fault.to_string() };
                let (of, attribute) = self.field(record, &field.name).map_err(unknown)?;
                records.push(of);
                let broken = |error: Error| FilterMistake { at: field.at, detail: error.to_string() };
                self.known(attribute).map_err(broken)
            });
            more.conditions.push(condition.map_err(refused)?);
        }
        more.where_joined = global_filters(self.model)?;
        Ok(more)
    }

    pub(super) fn known(&self, attribute: &Attribute) -> Result<Known, Error> {
        let field_type = type_of(&self.checker().value(&attribute.pql.value)?);
        Ok(Known { expr: Self::expr(&attribute.pql.value)?, field_type })
    }

    pub(super) fn add_filter(&self, id: &str, into: &mut Vec<Expr>, seen: &mut HashSet<String>) -> Result<(), Error> {
        let Some(filter) = self.model.filter(id).filter(|_| seen.insert(id.to_uppercase())) else { return Ok(()) };
        into.push(parse::condition(&filter.pql.value)?);
        for further in &filter.filter_ids {
            self.add_filter(&further.value, into, seen)?;
        }
        Ok(())
    }

    /// Turns a search into a condition: the values of the field that are like
    /// the term.
    fn searched(
        &self,
        search: &Search,
        record: Option<&'a Record>,
        records: &mut Vec<&'a Record>,
    ) -> Result<Condition, Error> {
        let bad = |detail: &str| QuestionFault::BadSearch { detail: detail.to_owned() };
        if search.term.trim().is_empty() {
            return Err(bad("the search has no term").into());
        }
        let precision = search.precision.unwrap_or(search::PRECISION_USUAL);
        if !(1..=100).contains(&precision) {
            return Err(bad("the precision of a search is a number from 1 to 100").into());
        }
        let (of, attribute) = self.field(record, &search.field)?;
        records.push(of);
        let Known { expr, field_type } = self.known(attribute)?;
        if field_type != Type::String {
            let detail = format!("\"{}\" is no text, so that nothing in it is like a term; use a filter", search.field);
            return Err(bad(&detail).into());
        }
        let query = Query {
            distinct: true,
            columns: vec![QueryColumn { value: expr.clone(), name: None }],
            ..Query::default()
        };
        let all = self.ask(&query, &More::default())?;
        let like = |value: &Value| matches!(value, Value::Text(text) if search::fit(&search.term, text) >= precision);
        Ok(Condition::In(expr, all.rows.into_iter().flatten().filter(like).collect()))
    }
}

fn order(sort: &[String], columns: &[Column<'_>]) -> Result<Vec<OrderBy>, QuestionFault> {
    let mut order: Vec<(String, OrderBy)> = Vec::new();
    for entry in sort {
        let entry = entry.trim();
        let (descending, name) = match entry.strip_prefix('-') {
            Some(name) => (true, name.trim()),
            None => (false, entry.strip_prefix('+').unwrap_or(entry).trim()),
        };
        if name.is_empty() {
            return Err(QuestionFault::SortEmpty);
        }
        let column = columns.iter().find(|column| column.id == name).ok_or_else(|| QuestionFault::SortUnknown {
            field: name.to_owned(),
            hint: hint(name, columns.iter().map(|column| column.id.as_str())),
        })?;
        match order.iter().find(|(known, _)| known == name) {
            Some((_, known)) if known.descending != descending => {
                return Err(QuestionFault::SortOpposite { field: name.to_owned() });
            }
            Some(_) => {}
            None => order.push((name.to_owned(), OrderBy { key: named(&column.id), descending })),
        }
    }
    Ok(order.into_iter().map(|(_, by)| by).collect())
}

/// Names a column of the result.
fn named(id: &str) -> Expr {
    Expr { kind: ExprKind::Name { name: id.to_owned(), quoted: true }, span: Span::default() }
}

fn header(column: &Column<'_>, yields: Type) -> Header {
    let plain = column_type(yields);
    match column.of {
        Of::Field(attribute) => Header {
            id: column.id.clone(),
            name: attribute.display_name.clone().unwrap_or_else(|| attribute.id.value.clone()),
            column_type: type_of_attribute(attribute, yields),
            format: attribute.format.clone(),
            unit: attribute.unit.clone(),
            is_aggregate: false,
        },
        Of::Kpi(kpi) => Header {
            id: column.id.clone(),
            name: kpi.about.display_name.clone().unwrap_or_else(|| kpi.id.value.clone()),
            column_type: plain,
            format: kpi.format.clone(),
            unit: kpi.unit.clone(),
            is_aggregate: true,
        },
    }
}

/// Tells how the type of an attribute is called: as its model says, else as
/// what it yields.
pub(crate) fn type_of_attribute(attribute: &Attribute, yields: Type) -> ColumnType {
    match &attribute.column_type {
        Some(given) => given.value,
        None if attribute.kind == AttributeKind::Flag && yields == Type::Int => ColumnType::Boolean,
        None => column_type(yields),
    }
}

fn column_type(yields: Type) -> ColumnType {
    match yields {
        Type::Int => ColumnType::Integer,
        Type::Float => ColumnType::Float,
        Type::Date => ColumnType::Datetime,
        Type::String => ColumnType::String,
    }
}
