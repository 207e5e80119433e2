//! Which shared figures a value reads.
//!
//! An order that waits at `Ship` is late or not by the figure of `Ship`; the
//! figures of the steps that it has left behind do not matter to it. Which
//! groups a value depends on is seen while it is evaluated: a filter that picks
//! the last event picks its group with it.

use super::evaluator::InScope;
use super::given::Group;
use super::lookup::looked_for;
use super::worked::Calendars;
use crate::pql::plan::{Grain, Node, Op, Program, Window};
use crate::value::Type;

/// What one row's value reads.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct RowReads {
    /// The groups, each with the grain of its figure.
    pub(crate) groups: Vec<(Grain, Group)>,
    /// The figures of these groups are all that the value depends on; rows that
    /// read the same group have the same value.
    pub(crate) pure: bool,
}

impl RowReads {
    fn join(&mut self, other: &RowReads) {
        self.pure &= other.pure;
        for group in &other.groups {
            if !self.groups.contains(group) {
                self.groups.push(group.clone());
            }
        }
    }
}

/// Tells whether a node is the value of a shared figure: of rows of many cases,
/// or of all who look for the same keys.
pub(crate) fn is_shared(program: &Program, node: &Node) -> bool {
    match node.op {
        Op::PullUp(_) => !program.is_in_case(node.grain),
        Op::Lookup(_) => true,
        _ => false,
    }
}

/// Tells whether a shared figure, or a working calendar that stands in a table,
/// has a part in a value.
pub(crate) fn has_shared(program: &Program, node: &Node) -> bool {
    let mut found = false;
    node.walk(&mut |node| found |= is_shared(program, node) || node.reads_calendar());
    found
}

/// Tells whether a window never looks further than its case: events, or cases,
/// are parted by what names the case. Nothing else will do: a column of the
/// case table is missing for all cases without a row there, and doubles may be
/// equal that name two cases.
pub(crate) fn stays_in_case(program: &Program, window: &Window, grain: Grain) -> bool {
    let roles = &program.catalog.roles;
    let key = match grain {
        Grain::Table(table) if table == roles.activity_table => (table, roles.case_column),
        Grain::Table(table) if table == roles.case_table => (table, roles.case_table_column),
        _ => return false,
    };
    let is_key = |node: &Node| match &node.op {
        Op::Column { table, column } => (*table, *column) == key,
        _ => false,
    };
    let (_, own) = &program.catalog.tables[key.0].columns[key.1];
    *own != Type::Float && window.partition.iter().any(is_key)
}

impl InScope<'_> {
    /// Tells for each row of a node's grain what it reads; `None` if that cannot
    /// be told of this kind of node.
    pub(crate) fn reads(&self, node: &Node) -> Option<Vec<RowReads>> {
        let length = self.length(node.grain);
        if let Op::Lookup(lookup) = &node.op {
            // Whoever has no key to look for reads no figure, and is in that
            // unlike others who read the same ones.
            let read = |group: Option<Group>| RowReads {
                pure: group.is_some(),
                groups: group.map(|group| (node.grain, group)).into_iter().collect(),
            };
            return Some(looked_for(self, lookup, node.grain).map(read).collect());
        }
        if is_shared(self.program(), node) {
            let read = |group| RowReads { groups: vec![(node.grain, group)], pure: true };
            return Some(self.groups(node.grain).into_iter().map(read).collect());
        }
        if !has_shared(self.program(), node) {
            let pure = matches!(node.op, Op::Constant(_))
                || (node.grain == Grain::Constant && !node.is_clocked() && is_rowwise(node));
            return Some(vec![RowReads { groups: Vec::new(), pure }; length]);
        }
        let mut all = vec![RowReads { groups: Vec::new(), pure: true }; length];
        if let Op::PullUp(pull_up) = &node.op {
            let from = pull_up.from;
            let filter = pull_up.filter.as_ref().filter(|filter| {
                // A filter that may itself come to another answer picks nothing.
                !has_shared(self.program(), filter) && !filter.is_clocked()
            });
            let chosen = filter.map(|filter| self.operand(filter, from));
            let mut parts = vec![&pull_up.value];
            if filter.is_none() {
                parts.extend(&pull_up.filter);
            }
            parts.extend(pull_up.order.iter().map(|(key, _)| key));
            let parts: Option<Vec<_>> =
                parts.into_iter().map(|part| Some((self.reads(part)?, self.places(from, part.grain)))).collect();
            let parts = parts?;
            let up = self.places(from, node.grain);
            let mut seen = vec![0_u32; length];
            for row in 0..self.length(from) {
                if chosen.as_ref().is_some_and(|filter| filter.truth(row) != Some(true)) {
                    continue;
                }
                let Some(place) = up.at(row) else { continue };
                seen[place] += 1;
                for (reads, places) in &parts {
                    match places.at(row) {
                        Some(part) => all[place].join(&reads[part]),
                        None => all[place].pure = false,
                    }
                }
            }
            let picks = filter.is_some() || pull_up.filter.is_none();
            for (reads, seen) in all.iter_mut().zip(seen) {
                // Of several rows each may count, or none.
                reads.pure &= seen < 2 && picks;
            }
            return Some(all);
        }
        if !is_known(node) && !node.reads_calendar() {
            return None;
        }
        if let Op::Worked(worked) = &node.op
            && node.reads_calendar()
        {
            let ident = worked.ident.as_ref().map(|ident| self.operand(ident, node.grain));
            for (row, own) in all.iter_mut().enumerate() {
                own.pure = false;
                let group = match &ident {
                    Some(ident) => ident.text(row).map(|name| Calendars::group(Some(name))),
                    None => Some(Calendars::group(None)),
                };
                own.groups.extend(group.map(|group| (Grain::Constant, group)));
            }
        }
        let mut children = Vec::new();
        node.each_child(|child| children.push(child));
        for child in children {
            let reads = self.reads(child)?;
            let places = self.places(node.grain, child.grain);
            for (row, own) in all.iter_mut().enumerate() {
                match places.at(row) {
                    Some(place) => own.join(&reads[place]),
                    None => own.pure = false,
                }
            }
        }
        Some(all)
    }
}

/// Tells whether the node itself, not those below, takes one row at a time.
pub(crate) fn is_known(node: &Node) -> bool {
    let is_working_time = matches!(node.op, Op::Worked(_)) && !node.reads_calendar();
    is_working_time
        || matches!(
            node.op,
            Op::Constant(_)
                | Op::Apply(..)
                | Op::Compare(..)
                | Op::And(..)
                | Op::Or(..)
                | Op::Not(_)
                | Op::IsNull(_)
                | Op::In(..)
                | Op::Like(..)
                | Op::Case(..)
                | Op::Bind(_)
        )
}

fn is_rowwise(node: &Node) -> bool {
    let mut known = true;
    node.walk(&mut |node| known &= is_known(node));
    known
}
