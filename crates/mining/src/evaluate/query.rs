//! Answering a query: select, group, order, cut.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::aggregation::{Groups, aggregate};
use super::evaluator::{Evaluator, InScope};
use super::scalar::by_keys;
use super::vector::{GroupKey, Operand, Places, Vector};
use crate::log::{EventLog, NO_ROW};
use crate::pql::check::type_of;
use crate::pql::plan::{Aggregate, Aggregation, Grain, Node, QueryPlan};
use crate::value::{Answer, AnswerColumn, Type, Value};

/// Answers a checked query on a root at an instant.
pub fn answer(log: Arc<EventLog>, plan: &QueryPlan, now: i64) -> Answer {
    let evaluator = Evaluator::new(log, Arc::new(plan.program.clone()), now);
    evaluator.everything(|scope| {
        let selected = scope.selected(plan.grain, &plan.selection.conditions);
        let rows: Vec<usize> = (0..selected.len()).filter(|row| selected[*row]).collect();
        let table = match &plan.groups {
            None => on_rows(scope, plan, rows),
            Some(keys) => on_groups(scope, plan, keys, &rows),
        };
        finish(plan, &table)
    })
}

/// The columns and order keys of a result, and which of its rows there are.
struct Result {
    columns: Vec<Operand>,
    order: Vec<(Operand, bool)>,
    rows: Vec<usize>,
}

fn on_rows(scope: &InScope<'_>, plan: &QueryPlan, rows: Vec<usize>) -> Result {
    let operand = |node: &Node| scope.operand(node, plan.grain);
    Result {
        columns: plan.columns.iter().map(|(_, node)| operand(node)).collect(),
        order: plan.order.iter().map(|(node, descending)| (operand(node), *descending)).collect(),
        rows,
    }
}

fn on_groups(scope: &InScope<'_>, plan: &QueryPlan, keys: &[Node], rows: &[usize]) -> Result {
    let key_operands: Vec<Operand> = keys.iter().map(|key| scope.operand(key, plan.grain)).collect();
    let mut groups: HashMap<Vec<GroupKey>, u32> = HashMap::new();
    let mut first_rows = Vec::new();
    let mut members = Vec::new();
    for row in rows {
        let key: Vec<GroupKey> = key_operands.iter().map(|operand| operand.value(*row).into()).collect();
        let next = groups.len() as u32;
        let group = *groups.entry(key).or_insert(next);
        if group == next {
            first_rows.push(*row);
        }
        members.push((*row, group));
    }
    // Without keys there is one group, even of nothing.
    let count = if keys.is_empty() { 1 } else { first_rows.len() };
    let key_vectors: Vec<Arc<Vector>> = keys
        .iter()
        .zip(&key_operands)
        .map(|(key, operand)| Arc::new(Vector::of(type_of(key), first_rows.iter().map(|row| operand.value(*row)))))
        .collect();
    let grouped = Groups { members: &members, count };
    let aggregates: Vec<Arc<Vector>> =
        plan.aggregates.iter().map(|one| Arc::new(reduce(scope, plan, one, &grouped))).collect();
    let operand = |node: &Node| {
        let places = if node.grain == Grain::Group { Places::Same } else { Places::First };
        Operand { vector: scope.on_groups(node, &key_vectors, &aggregates, count), places }
    };
    Result {
        columns: plan.columns.iter().map(|(_, node)| operand(node)).collect(),
        order: plan.order.iter().map(|(node, descending)| (operand(node), *descending)).collect(),
        rows: (0..count).collect(),
    }
}

fn reduce(scope: &InScope<'_>, plan: &QueryPlan, one: &Aggregate, groups: &Groups<'_>) -> Vector {
    match one {
        Aggregate::Of(aggregation, node) => {
            let result = match aggregation {
                Aggregation::Count | Aggregation::CountDistinct => Type::Int,
                Aggregation::Avg => Type::Float,
                _ => type_of(node),
            };
            aggregate(*aggregation, result, &scope.operand(node, plan.grain), groups)
        }
        Aggregate::Rows(table) => {
            let places = scope.places(plan.grain, Grain::Table(*table));
            let mut counts = vec![0_i64; groups.count];
            let mut seen = HashSet::new();
            for (row, group) in groups.members {
                let place = match &places {
                    Places::Same => *row as u32,
                    Places::First => 0,
                    Places::Listed(places) => places[*row],
                };
                counts[*group as usize] += i64::from(place != NO_ROW && seen.insert((*group, place)));
            }
            Vector::ints(counts.into_iter().map(Some))
        }
    }
}

fn finish(plan: &QueryPlan, result: &Result) -> Answer {
    let values = |row: usize| -> Vec<Value> { result.columns.iter().map(|column| column.value(row)).collect() };
    let mut rows = result.rows.clone();
    rows.sort_by(|one, other| by_keys(&result.order, *one, *other));
    if plan.distinct {
        let mut seen: HashSet<Vec<GroupKey>> = HashSet::new();
        rows.retain(|row| seen.insert(values(*row).into_iter().map(GroupKey::from).collect()));
    }
    let limit = plan.limit.map_or(usize::MAX, |limit| limit as usize);
    let shown = rows.into_iter().skip(plan.offset as usize).take(limit);
    let columns = plan.columns.iter();
    Answer {
        columns: columns.map(|(name, node)| AnswerColumn { name: name.clone(), column_type: type_of(node) }).collect(),
        rows: shown.map(values).collect(),
    }
}
