//! Values of the N-side on their way up.

use super::aggregation::aggregate;
use super::evaluator::InScope;
use super::groups::{Groups, Of};
use super::operand::{Operand, Places};
use super::order::put_in_order;
use super::row_list::RowList;
use super::vector::Vector;
use crate::log::NO_ROW;
use crate::pql::check::type_of;
use crate::pql::plan::{Grain, Node, PullUp};

impl InScope<'_> {
    pub(super) fn pull_up(&self, node: &Node, pull_up: &PullUp) -> Vector {
        if let Some(given) = self.given.filter(|given| given.keeps(node.id)) {
            let groups = self.groups(node.grain);
            return Vector::of(type_of(node), groups.iter().map(|group| given.value(node.id, group)));
        }
        if !self.is_whole() && !self.own.program.is_in_case(node.grain) {
            if let (Grain::Domain(domain), true) = (node.grain, self.given.is_some()) {
                let vector = self.everything().vector(node);
                let all = self.everything().found_by_key(domain);
                let keys = self.domain_keys(domain);
                return vector.gather(&keys.iter().map(|key| all.place(key)).collect::<Vec<_>>());
            }
            return self.of_everything(node);
        }
        let from = pull_up.from;
        let value = self.operand(&pull_up.value, from);
        let filter = pull_up.filter.as_ref().map(|filter| self.operand(filter, from));
        let (length, count) = (self.length(from), self.length(node.grain));
        let result = type_of(node);
        let reduce = |rows: &RowList, of: Of<'_>| {
            let groups = Groups { rows, of, count, filter: filter.as_ref() };
            aggregate(pull_up.aggregation, result, &value, &pull_up.delimiter, groups)
        };
        if pull_up.order.is_empty()
            && let Some((frame, targets)) = self.cases_to(from, node.grain)
        {
            return reduce(&RowList::all(length), Of::Cases(&frame, &targets));
        }
        let places = self.places(from, node.grain);
        let rows = if pull_up.order.is_empty() {
            RowList::all(length)
        } else {
            let counts = |row: &u32| filter.as_ref().is_none_or(|filter| filter.truth(*row as usize) == Some(true));
            let mut rows: Vec<u32> = (0..length as u32).filter(counts).collect();
            self.put_in_order(&mut rows, &pull_up.order, from);
            RowList::Listed(rows)
        };
        match &places {
            Places::First => reduce(&rows, Of::One),
            Places::Listed(places) if matches!(rows, RowList::Start(_)) => reduce(&rows, Of::Each(places)),
            places => {
                let target = |row: u32| places.at(row as usize).map_or(NO_ROW, |place| place as u32);
                let groups: Vec<u32> = rows.iter().map(target).collect();
                reduce(&rows, Of::Each(&groups))
            }
        }
    }

    /// Sorts rows of a grain by keys; equal ones stay as they were.
    pub(super) fn put_in_order(&self, rows: &mut [u32], order: &[(Node, bool)], grain: Grain) {
        let keys: Vec<(Operand, bool)> =
            order.iter().map(|(key, descending)| (self.operand(key, grain), *descending)).collect();
        put_in_order(rows, &keys);
    }
}
