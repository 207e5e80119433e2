//! Replaying cases on a net.
//!
//! A case may be read in several ways, so all markings are kept that the events
//! so far can have led to. An event that fits none of them is a deviation; it
//! is repaired by giving it the tokens that it lacks, as few as possible, and
//! the replay goes on. Cases take the same ways, so each step from a set of
//! markings is worked out once and looked up from then on.

use std::collections::{BTreeSet, HashMap};

use super::codes::Names;
use crate::evaluate::operand::Operand;
use crate::pql::net::{Net, Transition};

/// A set with more markings than this is given up.
const MARKINGS_MAX: usize = 1_000;

/// Beyond this many sets the tables are emptied and begin to grow anew: tokens
/// that deviations leave behind make ever new ones.
const STATES_MAX: usize = 10_000;

/// Tokens per place.
type Marking = Vec<u16>;

/// What is found at an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Finding {
    /// The net allows it.
    Conforms,
    /// The net does not know the activity.
    Unknown,
    /// The activity must not follow on that one, or not begin the case.
    Deviates { from: Option<usize>, to: usize },
    /// It is the last one, and more should follow.
    Incomplete,
    /// There are too many ways to read the case.
    TooMany,
}

impl Finding {
    /// Returns the number that stands for it: 0 for what conforms, below it for
    /// what is unknown, else the two activities in the order of the mapping.
    pub(super) fn number(self) -> i64 {
        let numbered = |activity: usize| activity as i64 + 1;
        match self {
            Finding::Conforms => 0,
            Finding::Unknown => -1,
            Finding::Deviates { from, to } => (from.map_or(0, numbered) << 32) | numbered(to),
            Finding::Incomplete => i64::from(i32::MAX),
            Finding::TooMany => i64::from(i32::MAX) - 1,
        }
    }

    /// Says it in words; `activity` is that of the event.
    pub(super) fn words(self, net: &Net, activity: Option<&str>) -> String {
        let activity = activity.unwrap_or("NULL");
        match self {
            Finding::Conforms => "Conforms".to_owned(),
            Finding::Unknown => format!("'{activity}' is an undesired activity"),
            Finding::Deviates { from: Some(from), .. } => {
                format!("'{}' is followed by '{activity}'", net.activities[from].0)
            }
            Finding::Deviates { from: None, .. } => format!("'{activity}' is executed as start activity"),
            Finding::Incomplete => format!("'{activity}' is executed as end activity"),
            Finding::TooMany => "The model can be read in too many ways".to_owned(),
        }
    }
}

/// A set of markings.
struct State {
    markings: Vec<Marking>,
    is_complete: bool,
    too_many: bool,
    /// By activity: where it leads, and whether it deviates.
    next: Vec<Option<(usize, bool)>>,
}

/// A net on which cases are replayed.
pub(super) struct Replay<'n> {
    net: &'n Net,
    silent: Vec<usize>,
    names: Names<'n>,
    states: Vec<State>,
    known: HashMap<Vec<Marking>, usize>,
    first: usize,
}

impl<'n> Replay<'n> {
    pub(super) fn new(net: &'n Net) -> Self {
        let names = Names::new(net.activities.iter().map(|(name, _)| name.as_str()));
        let mut replay =
            Replay { net, silent: net.silent(), names, states: Vec::new(), known: HashMap::new(), first: 0 };
        replay.first = replay.first_state();
        replay
    }

    fn first_state(&mut self) -> usize {
        let mut marking = vec![0; self.net.places];
        self.net.start.iter().for_each(|place| marking[*place] += 1);
        self.state([marking])
    }

    /// Tells whether a case without events is complete.
    pub(super) fn conforms_empty(&self) -> bool {
        self.states[self.first].is_complete
    }

    /// Replays a case; events without a value conform.
    pub(super) fn case(
        &mut self,
        value: &Operand,
        rows: impl Iterator<Item = usize>,
        mut found: impl FnMut(usize, Finding),
    ) {
        let (mut state, mut from, mut last) = (self.first, None, None);
        for row in rows {
            let finding = if value.is_null(row) {
                Finding::Conforms
            } else if let Some(to) = self.names.at(value, row) {
                let (next, deviates) = self.step(state, to);
                let finding = if self.states[next].too_many {
                    Finding::TooMany
                } else if deviates {
                    Finding::Deviates { from, to }
                } else {
                    Finding::Conforms
                };
                (state, from) = (next, Some(to));
                finding
            } else {
                Finding::Unknown
            };
            found(row, finding);
            if !value.is_null(row) {
                last = Some((row, finding));
            }
        }
        if let Some((row, Finding::Conforms)) = last
            && !self.states[state].is_complete
        {
            found(row, Finding::Incomplete);
        }
    }

    fn step(&mut self, state: usize, activity: usize) -> (usize, bool) {
        if let Some(next) = self.states[state].next[activity] {
            return next;
        }
        let net = self.net;
        let mut ways: Vec<(u32, Marking)> = Vec::new();
        for marking in &self.states[state].markings {
            let own = net.activities[activity].1.iter();
            ways.extend(own.map(|transition| fire(marking, &net.transitions[*transition])));
        }
        let least = ways.iter().map(|(missing, _)| *missing).min().unwrap_or(0);
        let markings = ways.into_iter().filter(|(missing, _)| *missing == least).map(|(_, marking)| marking);
        if self.states[state].too_many {
            return (state, false);
        }
        if self.states.len() >= STATES_MAX {
            self.states.clear();
            self.known.clear();
            self.first = self.first_state();
            return (self.state(markings), least > 0);
        }
        let next = self.state(markings);
        self.states[state].next[activity] = Some((next, least > 0));
        (next, least > 0)
    }

    /// Finds the state of these markings and of those to which silent
    /// transitions lead.
    fn state(&mut self, markings: impl IntoIterator<Item = Marking>) -> usize {
        let mut open: Vec<Marking> = markings.into_iter().collect();
        let mut reached: BTreeSet<Marking> = BTreeSet::new();
        while let Some(marking) = open.pop() {
            if reached.len() > MARKINGS_MAX || !reached.insert(marking.clone()) {
                continue;
            }
            for transition in &self.silent {
                if let (0, next) = fire(&marking, &self.net.transitions[*transition]) {
                    open.push(next);
                }
            }
        }
        let too_many = reached.len() > MARKINGS_MAX;
        let markings: Vec<Marking> = if too_many { Vec::new() } else { reached.into_iter().collect() };
        let next = self.states.len();
        let state = *self.known.entry(markings.clone()).or_insert(next);
        if state == next {
            let is_complete = markings.iter().any(|marking| self.net.end.iter().any(|place| marking[*place] > 0));
            let steps = vec![None; self.net.activities.len()];
            self.states.push(State { markings, is_complete, too_many, next: steps });
        }
        state
    }
}

/// Returns how many tokens a transition lacks, and the marking behind it.
fn fire(marking: &Marking, transition: &Transition) -> (u32, Marking) {
    let mut next = marking.clone();
    let mut missing = 0;
    for place in &transition.takes {
        if next[*place] == 0 {
            missing += 1;
        } else {
            next[*place] -= 1;
        }
    }
    for place in &transition.gives {
        next[*place] = next[*place].saturating_add(1);
    }
    (missing, next)
}
