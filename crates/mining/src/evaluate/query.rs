//! Answering a query: select, group, order, cut.

use std::sync::Arc;

use super::aggregation::{aggregate, of_rows};
use super::evaluator::{Evaluator, InScope};
use super::groups::{Groups, Of};
use super::keys::{Grouped, group};
use super::operand::{Operand, Places};
use super::order::put_in_order;
use super::row_list::RowList;
use super::vector::Vector;
use super::window::{moving, moving_type};
use crate::log::{EventLog, NO_ROW, map_ranges};
use crate::pql::check::type_of;
use crate::pql::plan::{Aggregate, Aggregation, Global, Grain, Node, QueryPlan, Reduction};
use crate::value::{Answer, AnswerColumn, Type, Value};

/// Answers a checked query on a root at an instant.
pub fn answer(log: Arc<EventLog>, plan: &QueryPlan, now: i64) -> Answer {
    let evaluator = Evaluator::new(log, Arc::new(plan.program.clone()), now);
    evaluator.everything(|scope| {
        let rows = selected(scope, plan);
        match &plan.groups {
            None => finish(plan, &on_rows(scope, plan, rows)),
            Some(keys) => finish(plan, &on_groups(scope, plan, keys, &rows)),
        }
    })
}

/// Lists the rows of the common table that the FILTERs keep.
fn selected(scope: &InScope<'_>, plan: &QueryPlan) -> RowList {
    if plan.selection.conditions.is_empty() && plan.selection.target == plan.grain {
        return RowList::all(scope.length(plan.grain));
    }
    let kept = scope.selected(plan.selection.target, &plan.selection.conditions);
    if plan.selection.target == plan.grain {
        return RowList::kept(&kept);
    }
    // A combination of a DOMAIN_TABLE stays if one of its rows does.
    let Places::Listed(places) = scope.places(plan.selection.target, plan.grain) else {
        unreachable!("only the source of a DOMAIN_TABLE selects for another grain");
    };
    let mut met = vec![false; scope.length(plan.grain)];
    for (place, kept) in places.iter().zip(kept) {
        if kept && *place != NO_ROW {
            met[*place as usize] = true;
        }
    }
    RowList::kept(&met)
}

/// The columns of a result, and which of its rows there are, in order.
struct Result {
    columns: Vec<Operand>,
    rows: Vec<u32>,
}

/// Puts rows in order, computes what moves along them, then the columns.
fn in_order(
    scope: &InScope<'_>,
    plan: &QueryPlan,
    mut rows: Vec<u32>,
    length: usize,
    operand: impl Fn(&Node) -> Operand,
) -> Result {
    let order: Vec<(Operand, bool)> =
        plan.order.iter().map(|(node, descending)| (operand(node), *descending)).collect();
    put_in_order(&mut rows, &order);
    let vectors =
        plan.moving.iter().map(|one| Arc::new(moving(one, &operand(&one.value), &rows, length, moving_type(one))));
    scope.set_moving(vectors.collect());
    Result { columns: plan.columns.iter().map(|(_, node)| operand(node)).collect(), rows }
}

fn on_rows(scope: &InScope<'_>, plan: &QueryPlan, rows: RowList) -> Result {
    let operand = |node: &Node| scope.operand(node, plan.grain);
    in_order(scope, plan, rows.into_list(), scope.length(plan.grain), operand)
}

fn on_groups(scope: &InScope<'_>, plan: &QueryPlan, keys: &[Node], rows: &RowList) -> Result {
    let key_operands: Vec<Operand> = keys.iter().map(|key| scope.operand(key, plan.grain)).collect();
    let Grouped { groups, firsts } = group(rows, &key_operands);
    // Without keys there is one group, even of nothing.
    let count = if keys.is_empty() { 1 } else { firsts.len() };
    let key_vectors: Vec<Arc<Vector>> = keys
        .iter()
        .zip(&key_operands)
        .map(|(key, operand)| Arc::new(of_rows(type_of(key), operand, &firsts)))
        .collect();
    let of = if keys.is_empty() { Of::One } else { Of::Each(&groups) };
    let grouped = Groups { rows, of, count, filter: None };
    let aggregates: Vec<Arc<Vector>> =
        plan.aggregates.iter().map(|one| Arc::new(reduce(scope, plan.grain, one, grouped))).collect();
    let operand = |node: &Node| {
        let places = if node.grain == Grain::Group { Places::Same } else { Places::First };
        Operand { vector: scope.on_groups(node, &key_vectors, &aggregates, count), places }
    };
    in_order(scope, plan, (0..count as u32).collect(), count, operand)
}

/// Computes an aggregate of its own, over all that the FILTERs keep.
pub(super) fn global(scope: &InScope<'_>, global: &Global) -> Vector {
    let kept = scope.selected(global.grain, &global.conditions);
    let rows = RowList::kept(&kept);
    let grouped = Groups { rows: &rows, of: Of::One, count: 1, filter: None };
    let aggregates: Vec<Arc<Vector>> =
        global.aggregates.iter().map(|one| Arc::new(reduce(scope, global.grain, one, grouped))).collect();
    (*scope.on_groups(&global.value, &[], &aggregates, 1)).clone()
}

fn reduce(scope: &InScope<'_>, grain: Grain, one: &Aggregate, groups: Groups<'_>) -> Vector {
    match one {
        Aggregate::Of(Reduction { aggregation, value, order, delimiter }) => {
            let result = aggregation.result(type_of(value));
            let value = scope.operand(value, grain);
            if order.is_empty() {
                return aggregate(*aggregation, result, &value, delimiter, groups);
            }
            let mut rows: Vec<u32> = groups.rows.iter().collect();
            scope.put_in_order(&mut rows, order, grain);
            let own: Vec<u32> = match groups.of {
                Of::Each(groups_of_rows) => {
                    let mut group_of = vec![NO_ROW; scope.length(grain)];
                    let members = groups.rows.iter().zip(groups_of_rows);
                    members.for_each(|(row, group)| group_of[row as usize] = *group);
                    rows.iter().map(|row| group_of[*row as usize]).collect()
                }
                _ => Vec::new(),
            };
            let of = if own.is_empty() { groups.of } else { Of::Each(&own) };
            let groups = Groups { rows: &RowList::Listed(rows), of, ..groups };
            aggregate(*aggregation, result, &value, delimiter, groups)
        }
        Aggregate::Rows(table) => {
            let places = scope.places(grain, Grain::Table(*table));
            // Each row of the grain is one of the table's own.
            if matches!(places, Places::Same) {
                return Vector::ints(groups.sizes().into_iter().map(Some));
            }
            let place = |row: usize| places.at(row).map(|place| place as i64);
            let numbers = Vector::ints_of(scope.length(grain), place);
            let numbers = Operand { vector: Arc::new(numbers), places: Places::Same };
            aggregate(Aggregation::CountDistinct, Type::Int, &numbers, "", groups)
        }
    }
}

fn finish(plan: &QueryPlan, result: &Result) -> Answer {
    let values = |row: u32| -> Vec<Value> { result.columns.iter().map(|column| column.value(row as usize)).collect() };
    let mut rows = result.rows.clone();
    if plan.distinct {
        rows = group(&RowList::Listed(rows), &result.columns).firsts;
    }
    let limit = plan.limit.map_or(usize::MAX, |limit| limit as usize);
    let shown: Vec<u32> = rows.into_iter().skip(plan.offset as usize).take(limit).collect();
    let parts = map_ranges(shown.len(), |part| shown[part].iter().map(|row| values(*row)).collect::<Vec<_>>());
    let columns = plan.columns.iter();
    Answer {
        columns: columns.map(|(name, node)| AnswerColumn { name: name.clone(), column_type: type_of(node) }).collect(),
        rows: parts.into_iter().flatten().collect(),
    }
}
