//! Names in a query that no event bears.
//!
//! Such a name is no mistake: tomorrow's event may bear it. It is most often a
//! slip all the same, so whoever asks or publishes is told.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::Evaluator;
use super::operand::Operand;
use crate::log::EventLog;
use crate::pql::operators::hint;
use crate::pql::plan::{Aggregate, Boundary, Grain, Node, Op, Process, Program, QueryPlan};
use crate::pql::regex::{Name, Regex, Symbol};
use crate::pql::syntax::Comparison;
use crate::value::Value;

/// Says of each activity name in these nodes that no event bears that it is
/// so, and which name could be meant; each name once. A log without events
/// bears none, and that says nothing about the names.
pub fn unheard<'a>(
    log: &Arc<EventLog>,
    program: &Arc<Program>,
    nodes: impl IntoIterator<Item = &'a Node>,
    now: i64,
) -> Vec<String> {
    if log.event_count() == 0 {
        return Vec::new();
    }
    let mut asked: Vec<(&Node, Vec<Name>)> = Vec::new();
    for node in nodes {
        node.walk(&mut |node| match &node.op {
            Op::Process(process) => asked.extend(names_of(process)),
            op => asked.extend(compared(log, op)),
        });
    }
    let evaluator = Evaluator::new(log.clone(), program.clone(), now);
    let events = Grain::Table(log.catalog().roles.activity_table);
    let mut told = Vec::new();
    let mut seen = HashSet::new();
    for (value, names) in asked {
        let words = match own_words(log, value) {
            Some(own) => own,
            None => evaluator.everything(|scope| words(&scope.operand(value, events), scope.length(events))),
        };
        for name in names {
            let symbol = Symbol { names: vec![name.clone()], negated: false };
            if words.iter().any(|word| symbol.takes(word)) || !seen.insert(name.clone()) {
                continue;
            }
            told.push(match &name {
                Name::Is(name) => {
                    format!("no event bears the name '{name}'{}", hint(name, words.iter().map(String::as_str)))
                }
                Name::Like(pattern) => format!("no event bears a name like '{pattern}'"),
            });
        }
    }
    told
}

/// Says the same of all names in a query.
pub fn unheard_in_query(log: &Arc<EventLog>, plan: &QueryPlan, now: i64) -> Vec<String> {
    let filters = plan.selection.conditions.iter().map(|(condition, _)| condition);
    let columns = plan.columns.iter().map(|(_, node)| node);
    let order = plan.order.iter().map(|(node, _)| node);
    let aggregated = plan.aggregates.iter().filter_map(|aggregate| match aggregate {
        Aggregate::Of(reduction) => Some(&reduction.value),
        Aggregate::Rows(_) => None,
    });
    let moving = plan.moving.iter().map(|moving| &moving.value);
    let nodes = filters.chain(columns).chain(order).chain(plan.groups.iter().flatten());
    let nodes = nodes.chain(aggregated).chain(moving);
    unheard(log, &Arc::new(plan.program.clone()), nodes, now)
}

/// Returns the distinct texts of a plain column, in the order of the alphabet:
/// they are known without a look at the rows. Those of rows that have gone are
/// among them; such a name was borne once, and is no slip.
fn own_words(log: &EventLog, value: &Node) -> Option<Vec<String>> {
    let Op::Column { table, column } = value.op else { return None };
    let words = log.table(table).column(column).words();
    let mut own: Vec<String> = (0..words.len() as u32).map(|code| words.get(code).to_owned()).collect();
    own.sort_unstable();
    Some(own)
}

/// Returns the names that the activity is compared with, as `=`, `!=` and IN do.
fn compared<'a>(log: &EventLog, op: &'a Op) -> Option<(&'a Node, Vec<Name>)> {
    let roles = &log.catalog().roles;
    let is_activity = |node: &Node| {
        matches!(node.op, Op::Column { table, column }
            if table == roles.activity_table && column == roles.activity_column)
    };
    let text = |value: &Value| if let Value::Text(text) = value { Some(Name::Is(text.to_string())) } else { None };
    let constant = |node: &Node| if let Op::Constant(value) = &node.op { text(value) } else { None };
    match op {
        Op::Compare(Comparison::Equal | Comparison::NotEqual, left, right) => {
            let (value, name) = if is_activity(left) { (left, right) } else { (right, left) };
            is_activity(value).then(|| Some((&**value, vec![constant(name)?]))).flatten()
        }
        Op::In(value, list) if is_activity(value) => Some((value, list.iter().filter_map(text).collect())),
        _ => None,
    }
}

/// Returns the different texts, in the order of the alphabet.
fn words(value: &Operand, rows: usize) -> Vec<String> {
    let mut known: HashMap<u32, &str> = HashMap::new();
    for row in 0..rows {
        if let Some(code) = value.code(row) {
            known.entry(code).or_insert_with(|| value.text(row).unwrap_or_default());
        }
    }
    let mut words: Vec<String> = known.into_values().map(str::to_owned).collect();
    words.sort_unstable();
    words
}

fn names_of(process: &Process) -> Option<(&Node, Vec<Name>)> {
    let exact = |names: &[&String]| names.iter().map(|name| Name::Is((*name).clone())).collect();
    match process {
        Process::Match { value, conditions } => {
            Some((value, exact(&conditions.iter().flat_map(|(_, names)| names).collect::<Vec<_>>())))
        }
        Process::Pattern { value, pattern, .. } => {
            let mut names = Vec::new();
            collect(pattern, &mut names);
            Some((value, names))
        }
        Process::Throughput { value, from, to, .. } | Process::Crop { value, from, to, .. } => {
            let name = |boundary| match boundary {
                Boundary::First(name) | Boundary::Last(name) => Some(Name::Is(name)),
                Boundary::CaseStart | Boundary::CaseEnd => None,
            };
            Some((value, [from, to].into_iter().cloned().filter_map(name).collect()))
        }
        Process::Conformance { value, net, .. } | Process::Conforms { value, net } => {
            Some((value, exact(&net.activities.iter().map(|(name, _)| name).collect::<Vec<_>>())))
        }
        Process::Neighbour { .. }
        | Process::Position { .. }
        | Process::Variant { .. }
        | Process::Rework { .. }
        | Process::EdgeEnd { .. } => None,
    }
}

fn collect(pattern: &Regex, names: &mut Vec<Name>) {
    match pattern {
        Regex::Symbol(symbol) => names.extend(symbol.names.iter().cloned()),
        Regex::Start | Regex::End => {}
        Regex::Sequence(parts) | Regex::Either(parts) => parts.iter().for_each(|part| collect(part, names)),
        Regex::Repeat { inner, .. } => collect(inner, names),
    }
}
