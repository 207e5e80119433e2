//! From what a model says to what holds.
//!
//! Whatever cannot be settled is left as it was written; the check of the model
//! against its data tells why.

use std::collections::HashSet;

use serde_saphyr::Spanned;

use super::{DataTrigger, Filter, KnowledgeModel, Kpi, TriggerText};
use crate::pql::parse;
use crate::pql::syntax::{Call, Expr, ExprKind, Span};

/// How deep KPIs may stand in KPIs.
const NESTING_MAX: usize = 20;

/// Aggregates whose first argument is what they aggregate.
const AGGREGATES: [&str; 16] = [
    "AVG",
    "COUNT",
    "FIRST",
    "LAST",
    "MAX",
    "MEDIAN",
    "MIN",
    "MODE",
    "PRODUCT",
    "QUANTILE",
    "QUANTILE_LINEAR",
    "STDEV",
    "STRING_AGG",
    "SUM",
    "TRIMMED_MEAN",
    "VAR",
];

pub(super) fn settle(model: &mut KnowledgeModel) {
    for kpi in &mut model.kpis {
        kpi.pql.value = with_defaults(kpi);
    }
    let texts: Vec<(String, String)> =
        model.kpis.iter().map(|kpi| (kpi.id.value.to_uppercase(), kpi.pql.value.clone())).collect();
    let filters = &model.filters;
    for attribute in model
        .records
        .iter_mut()
        .flat_map(|record| std::iter::once(&mut record.identifier).chain(&mut record.attributes))
    {
        let Some(condition) = all_of(filters, &attribute.filter_ids) else { continue };
        let Ok(value) = parse::expression(&attribute.written.value) else { continue };
        attribute.pql.value = only_where(&condition, value).to_string();
    }
    for kpi in &mut model.kpis {
        let Some(condition) = all_of(filters, &kpi.filter_ids) else { continue };
        let Ok(value) = parse::expression(&kpi.pql.value) else { continue };
        let mut narrowed = value;
        if narrow(&mut narrowed, &condition, &texts, 0) {
            kpi.pql.value = narrowed.to_string();
        }
    }
    for record in &mut model.records {
        for older in std::mem::take(&mut record.data_triggers) {
            model.triggers.push(as_trigger(older, &record.id));
        }
    }
    let global: Vec<Spanned<String>> =
        model.filters.iter().filter(|filter| filter.global).map(|filter| filter.id.clone()).collect();
    for trigger in &mut model.triggers {
        trigger.filter_ids.extend(global.iter().cloned());
    }
}

/// Returns the expression of a KPI with `{p1}`, `{p2}` … replaced by what
/// stands for them if nothing is said.
fn with_defaults(kpi: &Kpi) -> String {
    let mut text = kpi.written.value.clone();
    for (place, parameter) in kpi.parameters.iter().enumerate() {
        let Some(default) = parameter.default_text() else { continue };
        text = text.replace(&format!("{{p{}}}", place + 1), &default);
    }
    text
}

/// Returns filters, and those that they refer to, as one condition.
pub(crate) fn all_of(filters: &[Filter], ids: &[Spanned<String>]) -> Option<Expr> {
    let mut conditions = Vec::new();
    let mut seen = HashSet::new();
    let mut open: Vec<&Spanned<String>> = ids.iter().rev().collect();
    while let Some(id) = open.pop() {
        let name = id.value.to_uppercase();
        let Some(filter) = filters.iter().find(|filter| filter.id.value.to_uppercase() == name) else { continue };
        if seen.insert(name) {
            open.extend(&filter.filter_ids);
            conditions.push(parse::condition(&filter.pql.value).ok()?);
        }
    }
    let and = |one, two| Expr { kind: ExprKind::And(Box::new(one), Box::new(two)), span: Span::default() };
    conditions.into_iter().reduce(and)
}

fn only_where(condition: &Expr, value: Expr) -> Expr {
    let branches = vec![(condition.clone(), value)];
    Expr { kind: ExprKind::Case { branches, otherwise: None }, span: Span::default() }
}

/// Lets the aggregates of an expression see only what satisfies a condition;
/// false if it has one that cannot be narrowed.
fn narrow(expr: &mut Expr, condition: &Expr, kpis: &[(String, String)], depth: usize) -> bool {
    let all = |parts: &mut [&mut Expr]| parts.iter_mut().all(|part| narrow(part, condition, kpis, depth));
    match &mut expr.kind {
        ExprKind::Call(call) => match call.name.as_str() {
            name if AGGREGATES.contains(&name) => {
                let Some(value) = call.arguments.first_mut() else { return false };
                *value = only_where(condition, value.clone());
                true
            }
            "COUNT_TABLE" => false,
            "KPI" => {
                let Some(inner) = other_kpi(call, kpis).filter(|_| depth < NESTING_MAX) else { return false };
                *expr = inner;
                narrow(expr, condition, kpis, depth + 1)
            }
            _ => all(&mut call.arguments.iter_mut().collect::<Vec<_>>()),
        },
        ExprKind::Negate(value) | ExprKind::Not(value) | ExprKind::IsNull { value, .. } => all(&mut [value]),
        ExprKind::Arithmetic(_, left, right)
        | ExprKind::Compare(_, left, right)
        | ExprKind::And(left, right)
        | ExprKind::Or(left, right) => all(&mut [left, right]),
        ExprKind::Between { value, low, high, .. } => all(&mut [value, low, high]),
        ExprKind::In { value, list, .. } => {
            let mut parts: Vec<&mut Expr> = list.iter_mut().collect();
            parts.push(value);
            all(&mut parts)
        }
        ExprKind::Like { value, pattern, .. } => all(&mut [value, pattern]),
        ExprKind::Case { branches, otherwise } => {
            let mut parts: Vec<&mut Expr> = Vec::new();
            for (condition, value) in branches {
                parts.push(condition);
                parts.push(value);
            }
            parts.extend(otherwise.as_deref_mut());
            all(&mut parts)
        }
        _ => true,
    }
}

fn other_kpi(call: &Call, kpis: &[(String, String)]) -> Option<Expr> {
    let [Expr { kind: ExprKind::Name { name, .. } | ExprKind::Text(name), .. }] = &call.arguments[..] else {
        return None;
    };
    let name = name.to_uppercase();
    let (_, text) = kpis.iter().find(|(id, _)| *id == name)?;
    parse::expression(text).ok()
}

/// Writes the older trigger form as a trigger, with all that a trigger says if
/// nothing is said.
fn as_trigger(older: DataTrigger, record: &Spanned<String>) -> TriggerText {
    let form = "{ id: _, record: _ }";
    let mut trigger: TriggerText = serde_saphyr::from_str(form).expect("a trigger with all its defaults");
    trigger.id = older.id;
    trigger.display_name = older.display_name;
    trigger.record = record.clone();
    trigger.filter_ids = older.filter_ids;
    trigger
}
