//! Operators over the events of a case, in their order.

mod codes;
mod automaton;
mod edges;
mod variants;
mod replay;

use std::ops::Range;

use self::automaton::Automaton;
use self::codes::{Names, PerCode, identities};
pub(super) use self::edges::EdgeRows;
use self::replay::{Finding, Replay};
use super::evaluator::InScope;
use super::operand::Operand;
use super::vector::{Texts, Vector};
use crate::log::{NO_CODE, NO_ROW};
use crate::pql::operators::Counting;
use crate::pql::plan::{Boundary, Grain, Occurrence, Process};
use crate::value::{Type, Value};

/// Computes an operator on its own grain: activities, cases or pairs of events.
pub(super) fn compute(scope: &InScope<'_>, process: &Process, result: Type, is_truth: bool, grain: Grain) -> Vector {
    let roles = &scope.log().catalog().roles;
    let events = Grain::Table(roles.activity_table);
    let frame = scope.frame(roles.activity_table);
    let length = frame.rows.len();
    match process {
        Process::Neighbour { value, by } => {
            let value = scope.operand(value, events);
            let places = frame.fill(NO_ROW, Vec::new, |present, segment, places| {
                neighbours(&value, segment, *by, present, places);
            });
            value.gather(&places)
        }
        Process::Position { value, counting, reverse } => {
            let values = identities(&scope.operand(value, events), length);
            let start = || Counter::new(*counting);
            let positions = frame.fill(None, start, |counter, segment, positions| {
                counter.next_case();
                let events = values[segment].iter().zip(positions);
                let count = |(value, position): (&u32, &mut Option<i64>)| *position = counter.count(*value);
                if *reverse { events.rev().for_each(count) } else { events.for_each(count) }
            });
            Vector::ints(positions)
        }
        Process::Variant { value, run_max } => {
            variants::variants(scope, &scope.operand(value, events), *run_max, grain)
        }
        Process::Match { value, conditions } => {
            let value = scope.operand(value, events);
            let start = || Matching::new(conditions);
            // A case without events has nothing to exclude; it matches nothing.
            let one = |matching: &mut Matching<'_>, segment| Some(matching.of(&value, segment).into());
            Vector::ints(per_case(scope, grain, Some(0), start, one))
        }
        Process::Pattern { value, pattern, negated } => {
            let value = scope.operand(value, events);
            let start = || Automaton::new(pattern);
            let nothing = start().finds(&value, std::iter::empty()) != *negated;
            let one = |automaton: &mut Automaton, segment| automaton.finds(&value, segment) != *negated;
            let found = per_case(scope, grain, nothing, start, one);
            let found = found.into_iter();
            if is_truth { Vector::truths(found.map(Some)) } else { Vector::ints(found.map(|found| Some(found.into()))) }
        }
        Process::Rework { filter, value } => {
            let filter = filter.as_ref().map(|filter| scope.operand(filter, events));
            let value = value.as_ref().map(|value| scope.operand(value, events));
            let counts = |row: &usize| {
                filter.as_ref().is_none_or(|filter| filter.truth(*row) == Some(true))
                    && value.as_ref().is_none_or(|value| !value.is_null(*row))
            };
            let one = |(): &mut (), segment: Range<usize>| Some(segment.filter(counts).count() as i64);
            Vector::ints(per_case(scope, grain, Some(0), || (), one))
        }
        Process::Throughput { from, to, time, value } => {
            debug_assert_eq!(result, Type::Int, "remapped times are whole numbers");
            let (time, value) = (scope.operand(time, events), scope.operand(value, events));
            let span = |range: &mut Boundaries<'_>, segment: Range<usize>| {
                let between = range.of(&value, segment)?;
                let (start, end) = (time.int(between.from)?, time.int(between.to)?);
                (between.events > 1 && end >= start).then(|| end - start)
            };
            Vector::ints(per_case(scope, grain, None, || Boundaries::new(from, to), span))
        }
        Process::Crop { from, to, value, keeps_values } => {
            let value = scope.operand(value, events);
            let start = || Boundaries::new(from, to);
            let inside = frame.fill(false, start, |range, segment, inside| {
                let first = segment.start;
                if let Some(between) = range.of(&value, segment).filter(|between| between.from <= between.to) {
                    inside[between.from - first..=between.to - first].fill(true);
                }
            });
            if !keeps_values {
                return Vector::ints(inside.into_iter().map(|inside| inside.then_some(1)));
            }
            let row = |(row, inside): (u32, bool)| if inside { row } else { NO_ROW };
            value.gather(&(0..).zip(inside).map(row).collect::<Vec<_>>())
        }
        Process::Conformance { value, net, readable } => {
            let value = scope.operand(value, events);
            let start = || Replay::new(net);
            let findings = frame.fill(Finding::Conforms, start, |replay, segment, findings| {
                let first = segment.start;
                replay.case(&value, segment, |row, finding| findings[row - first] = finding);
            });
            if !readable {
                return Vector::ints(findings.into_iter().map(|finding| Some(finding.number())));
            }
            let mut texts = Texts::default();
            for (row, finding) in findings.into_iter().enumerate() {
                texts.push(Some(&finding.words(net, value.text(row))));
            }
            texts.finish()
        }
        Process::Conforms { value, net } => {
            let value = scope.operand(value, events);
            let start = || Replay::new(net);
            let nothing = Some(start().conforms_empty().into());
            let one = |replay: &mut Replay<'_>, segment: Range<usize>| {
                let mut conforms = segment.clone().any(|row| !value.is_null(row)) || replay.conforms_empty();
                replay.case(&value, segment, |_, finding| conforms &= finding == Finding::Conforms);
                Some(conforms.into())
            };
            Vector::ints(per_case(scope, grain, nothing, start, one))
        }
        Process::EdgeEnd { value, is_source, filler, .. } => {
            let edges = scope.edges();
            let places = if *is_source { &edges.sources } else { &edges.targets };
            let value = scope.operand(value, events).spread(length);
            if *filler == Value::Null {
                return value.gather(places);
            }
            let filled = |place: &u32| if *place == NO_ROW { filler.clone() } else { value.value(*place as usize) };
            // Only the extra pair of this side is filled, not a missing value.
            Vector::of(result, places.iter().map(filled))
        }
    }
}

/// Computes something from the events of each case, on several threads.
/// `nothing` stands for cases without events, `start` makes what a thread needs.
fn per_case<T: Clone + Send, S>(
    scope: &InScope<'_>,
    grain: Grain,
    nothing: T,
    start: impl Fn() -> S + Sync,
    compute: impl Fn(&mut S, Range<usize>) -> T + Sync,
) -> Vec<T> {
    let mut values = vec![nothing; scope.length(grain)];
    let found = by_part(scope, grain, |cases| {
        let mut state = start();
        cases.map(|(place, segment)| (place, compute(&mut state, segment))).collect::<Vec<_>>()
    });
    for (place, value) in found.into_iter().flatten() {
        values[place as usize] = value;
    }
    values
}

/// Works on parts of the cases that stand in a grain, each with its place
/// there, at the same time; the results stand in the order of the parts.
fn by_part<T: Send>(
    scope: &InScope<'_>,
    grain: Grain,
    work: impl Fn(&mut dyn Iterator<Item = (u32, Range<usize>)>) -> T + Sync,
) -> Vec<T> {
    let Grain::Table(table) = grain else { return Vec::new() };
    let log = scope.log();
    let (events, cases) = (scope.frame(log.catalog().roles.activity_table), scope.frame(table));
    let placed = |(case, segment): (u32, Range<usize>)| {
        let row = log.case_row(case);
        let place = if row == NO_ROW { NO_ROW } else { cases.place(row) };
        (place != NO_ROW).then_some((place, segment))
    };
    events.by_part(|segments| work(&mut segments.filter_map(placed)))
}

/// Finds for each event of a case the event `by` values further on. An event
/// without a value sees what the last one before it with a value sees, or,
/// backwards, what the next one sees.
fn neighbours(value: &Operand, segment: Range<usize>, by: i64, present: &mut Vec<usize>, places: &mut [u32]) {
    let first = segment.start;
    if value.are_there(segment.clone()) {
        for (place, into) in (0_i64..).zip(places) {
            let wanted = place.checked_add(by).and_then(|place| usize::try_from(place).ok());
            *into = wanted.filter(|wanted| *wanted < segment.len()).map_or(NO_ROW, |wanted| (first + wanted) as u32);
        }
        return;
    }
    present.clear();
    present.extend(segment.clone().filter(|row| !value.is_null(*row)));
    let mut before = 0_i64;
    for row in segment {
        let is_present = present.get(before as usize) == Some(&row);
        let own = if by > 0 && !is_present { before - 1 } else { before };
        let wanted = own.checked_add(by).and_then(|place| present.get(usize::try_from(place).ok()?));
        places[row - first] = wanted.map_or(NO_ROW, |row| *row as u32);
        before += i64::from(is_present);
    }
}

/// Counts events of a case.
struct Counter {
    counting: Counting,
    /// The running number of the case, and how often a value occurred in it.
    seen: PerCode<(u32, i64)>,
    case: u32,
    last: u32,
    count: i64,
}

impl Counter {
    fn new(counting: Counting) -> Self {
        Counter { counting, seen: PerCode::default(), case: 0, last: NO_CODE, count: 0 }
    }

    fn next_case(&mut self) {
        self.case += 1;
        self.last = NO_CODE;
        self.count = 0;
    }

    fn count(&mut self, value: u32) -> Option<i64> {
        if value == NO_CODE {
            return None;
        }
        match self.counting {
            Counting::All => self.count += 1,
            Counting::Equal => {
                let seen = self.seen.of(value);
                *seen = if seen.0 == self.case { (self.case, seen.1 + 1) } else { (self.case, 1) };
                return Some(seen.1);
            }
            Counting::Run => {
                self.count = if self.last == value { self.count + 1 } else { 1 };
                self.last = value;
            }
        }
        Some(self.count)
    }
}

/// The conditions of MATCH_ACTIVITIES, their names as numbers.
struct Matching<'n> {
    names: Names<'n>,
    conditions: Vec<(Occurrence, Vec<usize>)>,
    /// The running number of the last case in which a name occurred.
    seen: Vec<u32>,
    case: u32,
}

impl<'n> Matching<'n> {
    fn new(conditions: &'n [(Occurrence, Vec<String>)]) -> Self {
        let names = Names::new(conditions.iter().flat_map(|(_, names)| names).map(String::as_str));
        let places = |wanted: &Vec<String>| wanted.iter().filter_map(|name| names.place(name)).collect();
        let conditions = conditions.iter().map(|(occurrence, wanted)| (*occurrence, places(wanted))).collect();
        Matching { seen: vec![0; names.len()], names, conditions, case: 0 }
    }

    fn of(&mut self, value: &Operand, segment: Range<usize>) -> bool {
        self.case += 1;
        let (mut first, mut last) = (None, None);
        for row in segment.filter(|row| !value.is_null(*row)) {
            let name = self.names.at(value, row);
            if let Some(name) = name {
                self.seen[name] = self.case;
            }
            first = first.or(Some(name));
            last = Some(name);
        }
        let (Some(first), Some(last)) = (first, last) else { return false };
        let is_one_of = |name: Option<usize>, wanted: &[usize]| name.is_some_and(|name| wanted.contains(&name));
        let occurs = |name: &usize| self.seen[*name] == self.case;
        self.conditions.iter().all(|(occurrence, wanted)| match occurrence {
            Occurrence::Starting => is_one_of(first, wanted),
            Occurrence::Ending => is_one_of(last, wanted),
            Occurrence::Node => wanted.iter().all(occurs),
            Occurrence::NodeAny => wanted.iter().any(occurs),
            Occurrence::Excluding => !wanted.iter().any(occurs),
            Occurrence::ExcludingAll => !wanted.iter().all(occurs),
        })
    }
}

/// The boundaries of a range, their names as numbers.
struct Boundaries<'b> {
    names: Names<'b>,
    /// Each with the place of its name.
    ends: [(&'b Boundary, Option<usize>); 2],
}

/// Where a range begins and ends.
struct Between {
    from: usize,
    to: usize,
    /// How many events of the case have a value.
    events: usize,
}

impl<'b> Boundaries<'b> {
    fn new(from: &'b Boundary, to: &'b Boundary) -> Self {
        let ends = [from, to];
        let name = |end: &'b Boundary| match end {
            Boundary::First(name) | Boundary::Last(name) => Some(name.as_str()),
            Boundary::CaseStart | Boundary::CaseEnd => None,
        };
        let names = Names::new(ends.into_iter().filter_map(name));
        let ends = ends.map(|end| (end, name(end).and_then(|name| names.place(name))));
        Boundaries { names, ends }
    }

    /// Finds the range in a case, if both boundaries are there; events without
    /// a value are none.
    fn of(&mut self, value: &Operand, segment: Range<usize>) -> Option<Between> {
        let mut found: [Option<usize>; 2] = [None; 2];
        let mut events = 0;
        for row in segment.filter(|row| !value.is_null(*row)) {
            events += 1;
            let name = self.names.at(value, row);
            for ((end, wanted), found) in self.ends.iter().zip(&mut found) {
                let takes = match end {
                    Boundary::CaseStart => found.is_none(),
                    Boundary::CaseEnd => true,
                    Boundary::First(_) => found.is_none() && name.is_some() && name == *wanted,
                    Boundary::Last(_) => name.is_some() && name == *wanted,
                };
                if takes {
                    *found = Some(row);
                }
            }
        }
        let [from, to] = found;
        Some(Between { from: from?, to: to?, events })
    }
}
