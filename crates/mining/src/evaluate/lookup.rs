//! Values of a table that is not joined, found by equal keys.

use std::collections::HashMap;

use super::evaluator::InScope;
use super::group_key::GroupKey;
use super::operand::Operand;
use super::vector::Vector;
use crate::log::NO_ROW;
use crate::pql::plan::{Grain, Lookup};

/// Fetches the value for each row of a grain. NULL keys never meet; of several
/// rows with one key the last one counts, as in joins.
pub(super) fn lookup(scope: &InScope<'_>, lookup: &Lookup, grain: Grain) -> Vector {
    // The other side may stand in any case.
    let all = scope.everything();
    let source = lookup.value.grain;
    let theirs: Vec<Operand> = lookup.keys.iter().map(|(_, key)| all.operand(key, source)).collect();
    let mut places: HashMap<Vec<GroupKey>, u32> = HashMap::new();
    for row in 0..all.length(source) {
        if let Some(key) = key(&theirs, row) {
            places.insert(key, row as u32);
        }
    }
    let own: Vec<Operand> = lookup.keys.iter().map(|(key, _)| scope.operand(key, grain)).collect();
    let place = |row| key(&own, row).and_then(|key| places.get(&key)).copied().unwrap_or(NO_ROW);
    let found: Vec<u32> = (0..scope.length(grain)).map(place).collect();
    all.vector(&lookup.value).gather(&found)
}

fn key(operands: &[Operand], row: usize) -> Option<Vec<GroupKey>> {
    operands.iter().map(|operand| (!operand.is_null(row)).then(|| operand.value(row).into())).collect()
}
