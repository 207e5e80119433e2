//! What can be followed row by row, and what cannot.

use super::tally::Kind;
use crate::evaluate::{has_shared, is_known, is_shared, stays_in_case};
use crate::pql::check::type_of;
use crate::pql::plan::{CalendarPlan, CalendarRows, Grain, Node, Op, Process, Program, PullUp};
use crate::value::Type;

/// Tells whether the node itself, not those below, depends on nothing but rows
/// of the case, figures that are kept, and the clock. Of an operator that is
/// not listed, such as a window over all rows, it is not known.
pub(crate) fn is_followed(program: &Program, node: &Node) -> bool {
    match &node.op {
        Op::Column { .. } | Op::Now | Op::ClockPart(_) | Op::ZonedClock(..) => true,
        Op::PullUp(_) | Op::Lookup(_) => !is_shared(program, node) || is_kept(program, node),
        Op::Window(window) => stays_in_case(program, window, node.grain),
        Op::Worked(worked) => calendar_is_kept(program, &worked.calendar),
        Op::Process(process) => !matches!(**process, Process::EdgeEnd { .. }) || pairs_are_plain(program),
        _ => is_known(node),
    }
}

/// Tells whether a figure that several cases share can be kept.
pub(crate) fn is_kept(program: &Program, node: &Node) -> bool {
    let mut known = !node.is_clocked();
    node.each_child(|child| child.walk(&mut |below| known &= is_followed(program, below)));
    known
        && keys_are_plain(program, node)
        && match &node.op {
            Op::PullUp(pull_up) => has_standing(pull_up, type_of(node)),
            // The keys that one reads are known before any figure is.
            Op::Lookup(lookup) => {
                matches!(lookup.value.grain, Grain::Table(_))
                    && matches!(node.grain, Grain::Table(_) | Grain::Edges)
                    && lookup.keys.iter().all(|(own, _)| !has_shared(program, own))
            }
            _ => false,
        }
}

/// Tells whether a figure is computed from scratch when another one moves that
/// it is made of: a figure with one value per row of what it goes over moves
/// those rows, any other one moves what every row puts in.
pub(crate) fn is_made_of_figures(program: &Program, node: &Node) -> bool {
    let from = match &node.op {
        Op::PullUp(pull_up) => pull_up.from,
        Op::Lookup(lookup) => lookup.value.grain,
        _ => return false,
    };
    let mut found = false;
    node.each_child(|child| {
        child.walk(&mut |below| {
            let is_of_rows = below.grain == from && matches!(below.op, Op::PullUp(_));
            found |= is_shared(program, below) && !is_of_rows;
        });
    });
    is_shared(program, node) && found
}

/// Tells whether the working calendars of a plan can be kept: they stand in the
/// text, or in tables of their own that no case and no figure has a part in.
pub(super) fn calendar_is_kept(program: &Program, plan: &CalendarPlan) -> bool {
    match plan {
        CalendarPlan::Known(_) => true,
        CalendarPlan::Intersect(one, other) => calendar_is_kept(program, one) && calendar_is_kept(program, other),
        CalendarPlan::Table(table) => {
            let mut nodes: Vec<&Node> = table.ident.iter().chain(&table.filter).collect();
            match &table.rows {
                CalendarRows::Shifts(columns) => nodes.extend(columns.iter()),
                CalendarRows::Intervals(columns) => nodes.extend(columns.iter()),
                CalendarRows::Days(year, months) => {
                    nodes.push(year);
                    nodes.extend(months);
                }
            }
            matches!(table.grain, Grain::Table(_))
                && !program.is_in_case(table.grain)
                && nodes.into_iter().all(|node| is_plain(program, node))
        }
    }
}

/// Tells whether a node stands on pairs of events.
pub(super) fn has_pairs(program: &Program, node: &Node) -> bool {
    let mut found = false;
    node.walk(&mut |node| {
        found |= match node.grain {
            Grain::Domain(domain) => program.domains[domain].source == Grain::Edges,
            grain => grain == Grain::Edges,
        };
    });
    found
}

/// Tells whether a value depends on nothing but its row and the 1-side of it.
fn is_plain(program: &Program, node: &Node) -> bool {
    let mut known = !node.is_clocked() && !has_shared(program, node);
    node.walk(&mut |below| known &= is_followed(program, below));
    known
}

/// Tells whether it is known which events are paired without looking further
/// than their case.
fn pairs_are_plain(program: &Program) -> bool {
    let filter = program.edges.as_ref().and_then(|edges| edges.filter.as_ref());
    filter.is_none_or(|filter| is_plain(program, filter))
}

/// Tells whether the DOMAIN_TABLEs that a figure stands on have keys without
/// clock and without figures of their own.
fn keys_are_plain(program: &Program, node: &Node) -> bool {
    let mut plain = true;
    node.walk(&mut |node| {
        if let Grain::Domain(domain) = node.grain {
            plain &= program.domains[domain].keys.iter().all(|key| is_plain(program, key));
        }
    });
    plain
}

/// Tells whether the values know where they stand among all, if that matters:
/// combinations stand in the order in which they were first seen, which is
/// another one for whoever looks at some of them.
fn has_standing(pull_up: &PullUp, result: Type) -> bool {
    !matches!(pull_up.from, Grain::Domain(_)) || !Kind::of(pull_up, result).is_ordered()
}
