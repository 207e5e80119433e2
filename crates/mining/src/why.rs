//! Why an instance satisfies a trigger or not, and when that may change.
//!
//! For each condition: whether it holds now, both sides of each comparison in
//! it, and the instant at which time alone would next change it. Rows and
//! figures may change it any time before.

use std::sync::Arc;

use base::Timestamp;

use crate::evaluate::{Evaluator, InScope};
use crate::log::EventLog;
use crate::pql::deadline::{ClockUse, next_change};
use crate::pql::parse;
use crate::pql::plan::{Grain, Node, Op};
use crate::trigger::{Trigger, Written};
use crate::value::Value;

/// Rows of the N-side whose comparisons are shown.
const ROWS_MAX: usize = 10;

/// Why an instance satisfies a trigger or not.
#[derive(Clone, Debug, PartialEq)]
pub struct Why {
    /// The trigger's id.
    pub trigger: String,
    /// The record instance.
    pub identifier: String,
    /// The instant of the process clock at which this holds.
    pub now: Timestamp,
    /// Whether all conditions hold.
    pub satisfies: bool,
    /// The conditions, those of the record first.
    pub filters: Vec<WhyFilter>,
    /// When time alone may next change an answer, if nothing else happens.
    pub next_change: Option<Timestamp>,
}

/// A condition of a trigger and one instance.
#[derive(Clone, Debug, PartialEq)]
pub struct WhyFilter {
    /// The filter's id.
    pub id: String,
    /// As it was written.
    pub pql: String,
    /// Whether it holds; nothing if it cannot be decided.
    pub holds: Option<bool>,
    /// The comparisons in it.
    pub comparisons: Vec<WhyComparison>,
    /// When time alone may next change its answer.
    pub next_change: Option<Timestamp>,
}

/// A comparison in a condition.
#[derive(Clone, Debug, PartialEq)]
pub struct WhyComparison {
    /// As it was written, or the whole condition if it stands in a name.
    pub pql: String,
    /// Its left side now.
    pub left: Value,
    /// Its right side now.
    pub right: Value,
    /// Whether it holds; nothing if it cannot be decided.
    pub holds: Option<bool>,
    /// When time alone may next change its answer.
    pub next_change: Option<Timestamp>,
}

/// Explains an instance at an instant; nothing if there is none of that name.
pub(crate) fn explain(log: Arc<EventLog>, trigger: &Trigger, identifier: &str, now: i64) -> Option<Why> {
    let at = |instant| Evaluator::new(log.clone(), trigger.program.clone(), instant);
    // At instant 0 a comparison shows how far it is from its crossing.
    let (present, origin) = (at(now), at(0));
    present.everything(|scope| {
        origin.everything(|zero| {
            let target = trigger.target;
            let names = scope.operand(&trigger.values[0], target);
            let row = (0..scope.length(target)).find(|row| names.value(*row).to_string() == identifier)?;
            let look = Look { scope, zero, target, row, now };
            let filters: Vec<WhyFilter> = trigger.filters.iter().map(|filter| look.filter(filter)).collect();
            let conditions = trigger.filters.iter().map(|filter| filter.node.clone());
            let ways = trigger.filters.iter().map(|filter| filter.way);
            let conditions: Vec<_> = conditions.zip(ways).collect();
            Some(Why {
                trigger: trigger.id.clone(),
                identifier: identifier.to_owned(),
                now: Timestamp::from_millis(now),
                satisfies: scope.selected(target, &conditions)[row],
                next_change: filters.iter().filter_map(|filter| filter.next_change).min(),
                filters,
            })
        })
    })
}

struct Look<'a> {
    scope: &'a InScope<'a>,
    zero: &'a InScope<'a>,
    target: Grain,
    row: usize,
    now: i64,
}

impl Look<'_> {
    fn filter(&self, filter: &Written) -> WhyFilter {
        let clock = ClockUse::of([&filter.node]);
        let mut found = Vec::new();
        comparisons(&filter.node, &mut found);
        let comparisons: Vec<WhyComparison> = found
            .into_iter()
            .flat_map(|node| self.rows(node.grain).into_iter().map(move |row| (node, row)))
            .map(|(node, row)| self.comparison(filter, node, row, &clock))
            .collect();
        let changes = comparisons.iter().filter_map(|comparison| comparison.next_change);
        let boundary = clock.next_boundary(self.now).map(Timestamp::from_millis);
        let condition = [(filter.node.clone(), filter.way)];
        let holds = match self.scope.program().reaches(self.target, filter.node.grain) {
            true => self.scope.operand(&filter.node, self.target).truth(self.row),
            false => Some(self.scope.selected(self.target, &condition)[self.row]),
        };
        WhyFilter {
            id: filter.id.clone(),
            pql: filter.pql.trim().to_owned(),
            holds,
            next_change: changes.chain(boundary).min(),
            comparisons,
        }
    }

    /// Lists the rows of a grain that belong to the instance.
    fn rows(&self, grain: Grain) -> Vec<usize> {
        let program = self.scope.program();
        if program.reaches(self.target, grain) {
            return self.scope.places(self.target, grain).at(self.row).into_iter().collect();
        }
        if !program.reaches(grain, self.target) {
            return Vec::new();
        }
        let places = self.scope.places(grain, self.target);
        let own = (0..self.scope.length(grain)).filter(|row| places.at(*row) == Some(self.row));
        own.take(ROWS_MAX).collect()
    }

    fn comparison(&self, filter: &Written, node: &Node, row: usize, clock: &ClockUse) -> WhyComparison {
        let Op::Compare(_, left, right) = &node.op else { unreachable!("only comparisons are collected") };
        let sides = |scope: &InScope<'_>| [left, right].map(|side| scope.operand(side, node.grain));
        let [one, other] = sides(self.scope);
        let slope = clock.comparisons.iter().find(|(timed, _)| timed.id == node.id).map(|(_, slope)| *slope);
        let next_change = slope.and_then(|slope| {
            let [one, other] = sides(self.zero);
            next_change(one.float(row)? - other.float(row)?, slope, self.now)
        });
        // A node that stands in an attribute or a KPI has its place in that text.
        let text = filter.pql.get(node.span.start as usize..node.span.end as usize);
        let text = text.filter(|text| parse::condition(text).is_ok()).unwrap_or(&filter.pql);
        WhyComparison {
            pql: text.trim().to_owned(),
            left: one.value(row),
            right: other.value(row),
            holds: self.scope.vector(node).truth(row),
            next_change: next_change.map(Timestamp::from_millis),
        }
    }
}

/// Collects the comparisons of a condition, without those inside of aggregates.
fn comparisons<'a>(node: &'a Node, found: &mut Vec<&'a Node>) {
    match &node.op {
        Op::Compare(..) => found.push(node),
        Op::And(..) | Op::Or(..) | Op::Not(_) => node.each_child(|child| comparisons(child, found)),
        _ => {}
    }
}
