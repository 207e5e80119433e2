//! What the rows in scope put into a shared figure.

use super::evaluator::InScope;
use super::given::Group;
use super::lookup::key_of;
use super::operand::Operand;
use crate::pql::plan::{Grain, Lookup, PullUp};
use crate::value::Value;

/// One value that goes into a figure.
#[derive(Clone, Debug)]
pub(crate) struct Contribution {
    /// Of which group.
    pub(crate) group: Group,
    /// Missing only where something is looked up.
    pub(crate) value: Value,
    /// What FIRST and LAST order by, each with whether it descends.
    pub(crate) keys: Vec<(Value, bool)>,
    /// Where the row stands among all: case or row number, then the place of an
    /// event in its case.
    pub(crate) place: (u32, u32),
}

impl InScope<'_> {
    /// Lists what the rows in scope put into a figure; missing values and rows
    /// without a group put in nothing.
    pub(crate) fn contributions(&self, pull_up: &PullUp, target: Grain, ordered: bool) -> Vec<Contribution> {
        let from = pull_up.from;
        let value = self.operand(&pull_up.value, from);
        let filter = pull_up.filter.as_ref().map(|filter| self.operand(filter, from));
        let order: Vec<(Operand, bool)> = match ordered {
            true => pull_up.order.iter().map(|(key, down)| (self.operand(key, from), *down)).collect(),
            false => Vec::new(),
        };
        let groups = self.groups(target);
        let places = self.places(from, target);
        let standing = if ordered { self.standing(from) } else { Vec::new() };
        let mut found = Vec::new();
        for row in 0..self.length(from) {
            if value.is_null(row) || filter.as_ref().is_some_and(|filter| filter.truth(row) != Some(true)) {
                continue;
            }
            let Some(place) = places.at(row) else { continue };
            found.push(Contribution {
                group: groups[place].clone(),
                value: value.value(row),
                keys: order.iter().map(|(key, down)| (key.value(row), *down)).collect(),
                place: standing.get(row).copied().unwrap_or((0, 0)),
            });
        }
        found
    }

    /// Lists what the rows in scope offer to those who look for their keys. A
    /// row without a value offers that.
    pub(crate) fn offered(&self, lookup: &Lookup) -> Vec<Contribution> {
        let from = lookup.value.grain;
        let value = self.operand(&lookup.value, from);
        let keys: Vec<Operand> = lookup.keys.iter().map(|(_, key)| self.operand(key, from)).collect();
        let standing = self.standing(from);
        let offer = |row: usize| {
            let group = Group::Key(key_of(&keys, row)?.into());
            Some(Contribution { group, value: value.value(row), keys: Vec::new(), place: standing[row] })
        };
        (0..self.length(from)).filter_map(offer).collect()
    }

    /// Tells for each row where it stands among all, in the order of frames.
    fn standing(&self, grain: Grain) -> Vec<(u32, u32)> {
        let roles = &self.log().catalog().roles;
        match grain {
            Grain::Table(table) if table == roles.activity_table => {
                let frame = self.frame(table);
                let of_case = |(case, places): (u32, std::ops::Range<usize>)| {
                    (0..places.len() as u32).map(move |place| (case, place))
                };
                frame.segments().flat_map(of_case).collect()
            }
            Grain::Edges => {
                let edges = self.edges();
                let mut standing: Vec<(u32, u32)> = Vec::with_capacity(edges.cases.len());
                for case in &edges.cases {
                    let before = standing.last().filter(|(last, _)| last == case);
                    standing.push((*case, before.map_or(0, |(_, place)| place + 1)));
                }
                standing
            }
            Grain::Table(table) if table == roles.case_table => {
                self.cases_of(grain, table).into_iter().map(|case| (case, 0)).collect()
            }
            Grain::Table(table) => self.frame(table).rows.iter().map(|row| (row, 0)).collect(),
            _ => (0..self.length(grain) as u32).map(|place| (place, 0)).collect(),
        }
    }
}
