//! Values of a table that is not joined, found by equal keys.

use std::collections::HashMap;

use super::evaluator::InScope;
use super::given::Group;
use super::group_key::GroupKey;
use super::operand::Operand;
use super::vector::Vector;
use crate::log::NO_ROW;
use crate::pql::check::type_of;
use crate::pql::plan::{Grain, Lookup, Node};
use crate::value::Value;

/// Fetches the value for each row of a grain. NULL keys never meet; of several
/// rows with one key the last one counts, as in joins.
pub(super) fn lookup(scope: &InScope<'_>, node: &Node, lookup: &Lookup) -> Vector {
    let grain = node.grain;
    if let Some(given) = scope.given().filter(|given| given.keeps(node.id)) {
        let value = |group: Option<Group>| group.map_or(Value::Null, |group| given.value(node.id, &group));
        return Vector::of(type_of(node), looked_for(scope, lookup, grain).map(value));
    }
    // The other side may stand in any case.
    let all = scope.everything();
    let source = lookup.value.grain;
    let theirs: Vec<Operand> = lookup.keys.iter().map(|(_, key)| all.operand(key, source)).collect();
    let mut places: HashMap<Vec<GroupKey>, u32> = HashMap::new();
    for row in 0..all.length(source) {
        if let Some(key) = key_of(&theirs, row) {
            places.insert(key, row as u32);
        }
    }
    let own: Vec<Operand> = lookup.keys.iter().map(|(key, _)| scope.operand(key, grain)).collect();
    let place = |row| key_of(&own, row).and_then(|key| places.get(&key)).copied().unwrap_or(NO_ROW);
    let found: Vec<u32> = (0..scope.length(grain)).map(place).collect();
    all.vector(&lookup.value).gather(&found)
}

/// Names the keys that each row of a grain looks for; nothing where one of them
/// is missing.
pub(super) fn looked_for(scope: &InScope<'_>, lookup: &Lookup, grain: Grain) -> impl Iterator<Item = Option<Group>> {
    let own: Vec<Operand> = lookup.keys.iter().map(|(key, _)| scope.operand(key, grain)).collect();
    (0..scope.length(grain)).map(move |row| Some(Group::Key(key_of(&own, row)?.into())))
}

/// Returns the keys of a row, if none is missing.
pub(super) fn key_of(operands: &[Operand], row: usize) -> Option<Vec<GroupKey>> {
    operands.iter().map(|operand| (!operand.is_null(row)).then(|| operand.value(row).into())).collect()
}
