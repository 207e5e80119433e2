//! From what a model says to what holds.
//!
//! Whatever cannot be settled is left as it was written; the check of the model
//! against its data tells why.

use std::collections::HashSet;

use serde_saphyr::Spanned;

use super::{DataTrigger, Filter, KnowledgeModel, Kpi, Parameter, TriggerText};
use crate::pql::syntax::{Call, Expr, ExprKind, Span};
use crate::pql::{bind, parse};

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
    let known: Vec<KnownKpi> = model.kpis.iter().map(|kpi| KnownKpi::of(kpi, filters)).collect();
    for (kpi, own) in model.kpis.iter_mut().zip(&known) {
        if let Some(narrowed) = own.narrowed(&known) {
            kpi.open.value = narrowed.to_string();
        }
        kpi.pql.value = with_defaults(kpi);
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
    let mut text = kpi.open.value.clone();
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

/// A KPI as another one finds it.
struct KnownKpi {
    /// In upper case.
    id: String,
    written: String,
    defaults: Vec<Option<String>>,
    /// What its aggregates see.
    condition: Option<Expr>,
}

impl KnownKpi {
    fn of(kpi: &Kpi, filters: &[Filter]) -> Self {
        KnownKpi {
            id: kpi.id.value.to_uppercase(),
            written: kpi.written.value.clone(),
            defaults: kpi.parameters.iter().map(Parameter::default_text).collect(),
            condition: all_of(filters, &kpi.filter_ids),
        }
    }

    /// Returns its expression with its filters in it and its parameters open;
    /// `None` where it has no filters, or they cannot be brought in.
    fn narrowed(&self, all: &[KnownKpi]) -> Option<Expr> {
        let mut expr = parse::expression(&self.written).ok()?;
        narrow(&mut expr, self.condition.as_ref()?, all, 0).then_some(expr)
    }

    /// Returns its expression as a call with these arguments means it.
    fn called(&self, given: &[Expr], all: &[KnownKpi], depth: usize) -> Option<Expr> {
        let mut expr = parse::expression(&self.written).ok()?;
        if let Some(condition) = &self.condition
            && !narrow(&mut expr, condition, all, depth)
        {
            return None;
        }
        let mut arguments = given.to_vec();
        for default in self.defaults.iter().skip(given.len()) {
            arguments.push(parse::expression(default.as_ref()?).ok()?);
        }
        bind::substitute(&mut expr, &arguments).ok()?;
        Some(expr)
    }
}

/// Lets the aggregates of an expression see only what satisfies a condition;
/// false if it has one that cannot be narrowed.
fn narrow(expr: &mut Expr, condition: &Expr, kpis: &[KnownKpi], depth: usize) -> bool {
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
                if depth >= NESTING_MAX {
                    return false;
                }
                let Some(inner) = other_kpi(call, kpis, depth + 1) else { return false };
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

fn other_kpi(call: &Call, kpis: &[KnownKpi], depth: usize) -> Option<Expr> {
    let [Expr { kind: ExprKind::Name { name, .. } | ExprKind::Text(name), .. }, given @ ..] = &call.arguments[..]
    else {
        return None;
    };
    let name = name.to_uppercase();
    kpis.iter().find(|kpi| kpi.id == name)?.called(given, kpis, depth)
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
