//! How far a change reaches: which instances of a record a commit or an instant
//! can make start or stop to match.
//!
//! Whatever a condition says of one case changes with the rows of the case
//! (class L) and with the clock. A figure that several cases share moves with
//! the rows of any of them; then those are asked again that read the group
//! that moved (K), and of a comparison with such a figure only those whose own
//! side lies between the figure before and the figure now (T). A value that is
//! looked up is a figure of all who look for the same keys, and a working
//! calendar that stands in a table asks those again who go by it. What cannot
//! be said like this is evaluated whole, at its own pace (F).

use crate::evaluate::{has_shared, is_known, is_shared};
use crate::figures::{is_followed, is_made_of_figures};
use crate::pql::check::{Checker, type_of};
use crate::pql::deadline::{CADENCE_MILLIS, ClockUse, Course, slope};
use crate::pql::plan::{Aggregation, Grain, Node, Op, Program, PullUp, Selection, Way, Yield};
use crate::pql::syntax::{Comparison, Span};
use crate::value::{Type, Value};
use crate::views::Class;

/// What follows from a change.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reach {
    /// The selection is evaluated whole, at its own pace.
    pub(crate) whole: bool,
    /// Conditions of the instance alone: who does not satisfy them matches
    /// only after a commit that touches it, whatever figures and clock do.
    pub(crate) gates: Vec<(Node, Way)>,
    /// Where answers depend on figures, in a form in which it is known who is
    /// asked again.
    pub(crate) thresholds: Vec<Threshold>,
    /// Conditions that read figures in another form, or working calendars that
    /// stand in tables.
    pub(crate) loose: Vec<Node>,
    /// A figure stands in such a condition.
    pub(crate) reads_figures: bool,
    /// A figure is made of others such that it is computed anew when one moves.
    pub(crate) makes_anew: bool,
    /// A working calendar that stands in a table has a part in it.
    pub(crate) goes_by_table: bool,
    /// Comparisons with the clock, case by case, each with its slope.
    pub(crate) timed: Vec<(Node, Course)>,
}

/// A part of a condition through which alone a figure decides.
#[derive(Clone, Debug)]
pub(crate) enum Threshold {
    /// A value of one's own on one side, of a group on the other.
    Against {
        /// Has one row per comparison.
        comparison: Node,
        /// Which side is one's own.
        own_is_left: bool,
        /// By how much one's own side grows per millisecond.
        slope: f64,
    },
    /// A condition that holds for a whole group or for none of it.
    Verdict(Node),
}

/// Turns conditions that come to the target over rows of several cases into
/// figures: "there is an order that …" becomes a count of them per vendor.
pub(crate) fn over_figures(program: &Program, selection: Selection) -> Selection {
    let Selection { target, conditions } = selection;
    let mut kept = Vec::new();
    let mut over: Vec<(Grain, Grain, Node)> = Vec::new();
    for (condition, way) in conditions {
        let meeting = match way {
            Way::Down => None,
            Way::Up => Some(target),
            Way::Over(table) => Some(Grain::Table(table)),
        };
        let crosses = |meeting: &Grain| !(program.is_in_case(condition.grain) && program.is_in_case(*meeting));
        match meeting.filter(crosses) {
            None => kept.push((condition, way)),
            Some(meeting) => {
                // One and the same row has to satisfy all conditions on it.
                match over.iter_mut().find(|(from, to, _)| (*from, *to) == (condition.grain, meeting)) {
                    Some((from, _, together)) => {
                        let both = Op::And(Box::new(together.clone()), Box::new(condition));
                        *together = made(both, Yield::Truth, *from, together.span, u32::MAX / 2 - 2);
                    }
                    None => over.push((condition.grain, meeting, condition)),
                }
            }
        }
    }
    for (number, (from, meeting, filter)) in over.into_iter().enumerate() {
        let id = u32::MAX / 2 + 3 * number as u32;
        let span = filter.span;
        let int = Yield::Of(Type::Int);
        let constant = |value, id| made(Op::Constant(Value::Int(value)), int, Grain::Constant, span, id);
        let value = constant(1, u32::MAX / 2 - 1);
        let count = PullUp {
            aggregation: Aggregation::Count,
            value,
            filter: Some(filter),
            order: Vec::new(),
            from,
            delimiter: "".into(),
        };
        let count = made(Op::PullUp(Box::new(count)), int, meeting, span, id);
        let compare = Op::Compare(Comparison::Greater, Box::new(count), Box::new(constant(0, id + 1)));
        kept.push((made(compare, Yield::Truth, meeting, span, id + 2), Way::Down));
    }
    Selection { target, conditions: kept }
}

fn made(op: Op, yields: Yield, grain: Grain, span: Span, id: u32) -> Node {
    Node { id, op, yields, grain, span }
}

/// Reads how far a change reaches.
pub(crate) fn reach(checker: &Checker<'_>, selection: &Selection, clock: &ClockUse) -> Reach {
    let program = checker.program();
    let reading = Reading { program, target: selection.target };
    let mut reach = Reach::default();
    for (condition, way) in &selection.conditions {
        condition.walk(&mut |node| {
            reach.whole |= !is_followed(program, node);
            reach.goes_by_table |= node.reads_calendar();
            reach.makes_anew |= is_made_of_figures(program, node);
        });
        let mut parts = Vec::new();
        conjuncts(condition, &mut parts);
        for part in &parts {
            let own_way = if parts.len() == 1 { Some(*way) } else { checker.way(part, selection.target).ok() };
            if !has_shared(program, part) {
                let stays = match own_way {
                    Some(Way::Down) => true,
                    Some(Way::Up) => program.is_in_case(part.grain) && program.is_in_case(selection.target),
                    Some(Way::Over(table)) => program.is_in_case(part.grain) && program.is_in_case(Grain::Table(table)),
                    None => false,
                };
                if stays && !part.is_clocked() && part.grain != Grain::Constant {
                    reach.gates.extend(own_way.map(|way| ((*part).clone(), way)));
                }
                continue;
            }
            match reading.thresholds(part) {
                Some(found) => reach.thresholds.extend(found),
                None => {
                    part.walk(&mut |node| reach.reads_figures |= is_shared(program, node));
                    reach.loose.push((*part).clone());
                }
            }
        }
    }
    let against = |node: &Node| {
        let is_it = |threshold: &Threshold| matches!(threshold, Threshold::Against { comparison, .. } if comparison.id == node.id);
        reach.thresholds.iter().any(is_it)
    };
    reach.timed = clock.comparisons.iter().filter(|(node, _)| !against(node)).cloned().collect();
    reach
}

fn conjuncts<'a>(node: &'a Node, parts: &mut Vec<&'a Node>) {
    match &node.op {
        Op::And(one, other) => {
            conjuncts(one, parts);
            conjuncts(other, parts);
        }
        _ => parts.push(node),
    }
}

struct Reading<'a> {
    program: &'a Program,
    target: Grain,
}

impl Reading<'_> {
    /// Finds the parts through which alone figures decide a condition.
    fn thresholds(&self, node: &Node) -> Option<Vec<Threshold>> {
        if !has_shared(self.program, node) {
            return Some(Vec::new());
        }
        let of_case = self.program.is_in_case(self.target) && self.program.is_in_case(node.grain);
        let has_rows = of_case || self.program.reaches(self.target, node.grain);
        if node.yields == Yield::Truth && has_rows && !node.is_clocked() && self.is_of_group(node) {
            return Some(vec![Threshold::Verdict(node.clone())]);
        }
        if let Op::Compare(comparison, left, right) = &node.op
            && !matches!(comparison, Comparison::Equal | Comparison::NotEqual)
            && of_case
            && type_of(left) != Type::String
        {
            for (own, other, own_is_left) in [(left, right, true), (right, left, false)] {
                if !has_shared(self.program, own)
                    && self.is_of_group(other)
                    && !other.is_clocked()
                    && let Some(slope) = slope(own)
                {
                    return Some(vec![Threshold::Against { comparison: node.clone(), own_is_left, slope }]);
                }
            }
        }
        if is_shared(self.program, node) || node.reads_calendar() {
            return None;
        }
        let mut found = Some(Vec::new());
        node.each_child(|child| {
            let below = self.thresholds(child);
            found = found.take().zip(below).map(|(mut all, more)| {
                all.extend(more);
                all
            });
        });
        found
    }

    /// Tells whether a value may be that of one group, picked by the row.
    fn is_of_group(&self, node: &Node) -> bool {
        if is_shared(self.program, node) {
            return true;
        }
        match &node.op {
            Op::Constant(_) => true,
            Op::PullUp(pull_up) => {
                let plain = |node: &Node| !has_shared(self.program, node) && !node.is_clocked();
                self.is_of_group(&pull_up.value)
                    && pull_up.filter.as_ref().is_none_or(plain)
                    && pull_up.order.iter().all(|(key, _)| plain(key))
            }
            _ if is_known(node) => {
                let mut all = true;
                node.each_child(|child| all &= self.is_of_group(child));
                all
            }
            _ => false,
        }
    }
}

impl Reach {
    /// Tells how much work a trigger is at a commit.
    pub(crate) fn class(&self, clock: &ClockUse) -> Class {
        let against = |threshold: &Threshold| matches!(threshold, Threshold::Against { .. });
        if self.whole {
            Class::F
        } else if !clock.is_none() || self.thresholds.iter().any(against) {
            Class::T
        } else if !self.thresholds.is_empty() || !self.loose.is_empty() {
            Class::K
        } else {
            Class::L
        }
    }

    /// Says what is evaluated when.
    pub(crate) fn cost(&self, in_case: bool, clock: &ClockUse, on_load: bool) -> String {
        let unit = if in_case { "cases" } else { "records" };
        if self.whole {
            return format!(
                "all {unit}, in the background after a commit, at most every 5 seconds and at most a twentieth of the \
                 time, because it depends on more than can be followed row by row"
            );
        }
        let mut words = format!("at each commit the {unit} that it touches");
        let against = |threshold: &&Threshold| matches!(threshold, Threshold::Against { .. });
        let compares = self.thresholds.iter().any(|threshold| against(&threshold));
        let judges = self.thresholds.iter().any(|threshold| !against(&threshold));
        if compares {
            words.push_str("; when a shared figure moves, those that it passes");
        }
        if judges {
            words.push_str("; those of a group whose shared condition turns");
        }
        if self.reads_figures {
            words.push_str("; when a shared figure moves, those that read it");
        }
        if self.makes_anew {
            words.push_str("; a figure that is made of other figures is computed from scratch when one of them moves");
        }
        if self.goes_by_table {
            words.push_str("; when a working calendar changes, those that go by it");
        }
        if on_load {
            words.push_str("; nothing because time passes, as \"evaluate: ON_LOAD\" asks");
            return words;
        }
        if !clock.comparisons.is_empty() {
            let one = if in_case { "case" } else { "record" };
            words.push_str(&format!("; each {one} once more at the instant at which time alone changes its answer"));
        }
        if clock.irregular {
            let minutes = (CADENCE_MILLIS / 60_000).to_string();
            words =
                words + "; all " + unit + " every " + &minutes + " minutes, because a use of NOW() has no normal form";
        } else if !clock.boundaries.is_empty() {
            words.push_str(&format!("; all {unit} when the day, hour or minute that it reads begins"));
        }
        words
    }
}
