//! When a condition that looks at the clock will change its answer.
//!
//! Evaluating everything every second would do, and would cost everything
//! every second. Instead the clock is brought to one side: a comparison whose
//! two sides are linear in NOW() with a constant slope, such as
//! `HOURS_BETWEEN(x, NOW()) > y`, changes at one instant per row, which can be
//! computed from the row. What surrounds the comparison does not matter: the
//! rows are evaluated again at that instant, and the evaluation decides.
//!
//! A comparison whose two sides merely never turn back, such as one of working
//! time in a calendar, or of `TODAY()` with a date, changes at instants that
//! can be found too: [`Course::Monotone`].
//!
//! `HOUR_NOW()` and its kin change at known boundaries. Any other use of NOW()
//! is evaluated again every [`CADENCE_MILLIS`], which publishing says aloud.

use std::cmp::Ordering;
use std::sync::Arc;

use jiff::tz::TimeZone;

use super::plan::{ClockPart, DatePart, Function, Node, Op, Unit, Work, Worked};
use crate::calendar::Calendar;
use crate::dates;
use crate::value::Value;

/// How often conditions are evaluated whose use of NOW() has no normal form.
pub const CADENCE_MILLIS: i64 = 5 * 60_000;

/// How far a computed instant may be off: doubles hold today's milliseconds to
/// about a ten-thousandth.
const BLUR_MILLIS: f64 = 0.01;

/// How a plan depends on the clock.
#[derive(Clone, Debug, Default)]
pub struct ClockUse {
    /// Comparisons that change at instants of their own per row.
    pub comparisons: Vec<(Node, Course)>,
    /// Boundaries at which everything is evaluated.
    pub boundaries: Vec<Boundary>,
    /// There is a NOW() without normal form.
    pub irregular: bool,
}

/// How a comparison depends on NOW().
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Course {
    /// Left minus right grows by so much per millisecond.
    Linear(f64),
    /// Left minus right never turns back.
    Monotone,
}

/// When everything is evaluated.
#[derive(Clone, Debug)]
pub enum Boundary {
    /// At the multiples of so many milliseconds.
    Every(i64),
    /// At the multiples of so many milliseconds on the wall of a zone, and when
    /// its clocks change.
    Wall(TimeZone, i64),
    /// When working time begins or ends.
    Work(Arc<Calendar>),
}

impl Boundary {
    fn next(&self, now: i64) -> Option<i64> {
        match self {
            Boundary::Every(every) => Some((now.div_euclid(*every) + 1) * every),
            Boundary::Wall(zone, every) => Some(dates::next_wall_boundary(zone, *every, now)),
            Boundary::Work(calendar) => calendar.next_edge(now),
        }
    }

    fn of_wall(zone: &TimeZone, every: i64) -> Self {
        if *zone == TimeZone::UTC { Boundary::Every(every) } else { Boundary::Wall(zone.clone(), every) }
    }
}

impl PartialEq for Boundary {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Boundary::Every(one), Boundary::Every(other)) => one == other,
            (Boundary::Wall(zone, one), Boundary::Wall(other_zone, other)) => zone == other_zone && one == other,
            (Boundary::Work(one), Boundary::Work(other)) => Arc::ptr_eq(one, other),
            _ => false,
        }
    }
}

impl ClockUse {
    /// Reads how conditions depend on the clock.
    pub fn of<'a>(conditions: impl IntoIterator<Item = &'a Node>) -> Self {
        let mut found = ClockUse::default();
        for condition in conditions {
            found.add(condition);
        }
        if found.irregular {
            found.bound(Boundary::Every(CADENCE_MILLIS));
        }
        found
    }

    /// Tells whether the clock has no part in it.
    pub fn is_none(&self) -> bool {
        self.comparisons.is_empty() && self.boundaries.is_empty()
    }

    /// Returns the next instant at which everything is evaluated.
    pub fn next_boundary(&self, now: i64) -> Option<i64> {
        self.boundaries.iter().filter_map(|boundary| boundary.next(now)).min()
    }

    fn bound(&mut self, boundary: Boundary) {
        if !self.boundaries.contains(&boundary) {
            self.boundaries.push(boundary);
        }
    }

    fn add(&mut self, node: &Node) {
        if !node.is_clocked() {
            return;
        }
        if let Some(boundary) = boundary(node) {
            return self.bound(boundary);
        }
        match &node.op {
            Op::Now => self.irregular = true,
            Op::Compare(_, left, right) => {
                let slope = slope(left).zip(slope(right)).map(|(left, right)| left - right);
                if let Some(slope) = slope.filter(|slope| *slope != 0.0) {
                    return self.comparisons.push((node.clone(), Course::Linear(slope)));
                }
                match sense(left).zip(sense(right)).and_then(|(left, right)| left.and(right.turned())) {
                    Some(Sense::Up | Sense::Down | Sense::Either) => {
                        self.comparisons.push((node.clone(), Course::Monotone));
                    }
                    _ => node.each_child(|child| self.add(child)),
                }
            }
            _ => node.each_child(|child| self.add(child)),
        }
    }
}

/// Returns when a value changes that is the same from one boundary to the next.
fn boundary(node: &Node) -> Option<Boundary> {
    let length = |unit: Unit| unit.millis() as i64;
    let of_clock = |part: ClockPart| match part {
        ClockPart::Today => length(Unit::Days),
        ClockPart::Hour => length(Unit::Hours),
        ClockPart::Minute => length(Unit::Minutes),
    };
    match &node.op {
        Op::ClockPart(part) => Some(Boundary::Every(of_clock(*part))),
        Op::ZonedClock(part, zone) => Some(Boundary::of_wall(zone, of_clock(*part))),
        Op::Apply(Function::Part(part) | Function::RoundTime(part), parts) => {
            let every = match part {
                DatePart::Millis => return None,
                DatePart::Seconds => length(Unit::Seconds),
                DatePart::Minutes => length(Unit::Minutes),
                DatePart::Hours => length(Unit::Hours),
                _ => length(Unit::Days),
            };
            match &parts[0].op {
                Op::Now => Some(Boundary::Every(every)),
                Op::Apply(Function::ConvertZone, parts) if matches!(parts[0].op, Op::Now) => {
                    let zone = |node: &Node| match &node.op {
                        Op::Constant(Value::Text(name)) => dates::zone(name),
                        _ => None,
                    };
                    (zone(&parts[1])? == TimeZone::UTC).then_some(Boundary::of_wall(&zone(&parts[2])?, every))
                }
                _ => None,
            }
        }
        Op::Worked(worked) => match (worked.work, &worked.calendar, &worked.arguments[..]) {
            (Work::IsIn, super::plan::CalendarPlan::Known(calendar), [Node { op: Op::Now, .. }]) => {
                Some(Boundary::Work(calendar.clone()))
            }
            _ => None,
        },
        _ => None,
    }
}

/// In which direction a value goes while the clock goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sense {
    Steady,
    Up,
    Down,
    /// In one of both, the same for a row all the time.
    Either,
}

impl Sense {
    fn turned(self) -> Self {
        match self {
            Sense::Up => Sense::Down,
            Sense::Down => Sense::Up,
            other => other,
        }
    }

    /// Of a sum.
    fn and(self, other: Sense) -> Option<Sense> {
        match (self, other) {
            (Sense::Steady, other) | (other, Sense::Steady) => Some(other),
            (one, other) if one == other && one != Sense::Either => Some(one),
            _ => None,
        }
    }

    /// Of a row that goes one way or the other.
    fn or(self, other: Sense) -> Sense {
        self.and(other).unwrap_or(Sense::Either)
    }

    /// Of a product with something steady.
    fn times(self, factor: &Node) -> Sense {
        match constant(factor).and_then(|factor| factor.partial_cmp(&0.0)) {
            _ if self == Sense::Steady => Sense::Steady,
            Some(Ordering::Greater) => self,
            Some(Ordering::Less) => self.turned(),
            Some(Ordering::Equal) => Sense::Steady,
            None => Sense::Either,
        }
    }
}

/// Returns in which direction a value goes, if it never turns back.
fn sense(node: &Node) -> Option<Sense> {
    if !node.is_clocked() {
        return Some(Sense::Steady);
    }
    match &node.op {
        Op::Now | Op::ClockPart(ClockPart::Today) => Some(Sense::Up),
        Op::Apply(function, parts) => match function {
            Function::ToFloat
            | Function::ToInt
            | Function::Floor
            | Function::Ceil
            | Function::Round
            | Function::Remap(_)
            | Function::RoundTime(_) => sense(&parts[0]),
            Function::Negate => sense(&parts[0]).map(Sense::turned),
            Function::Subtract => sense(&parts[0])?.and(sense(&parts[1])?.turned()),
            Function::Between(_) => sense(&parts[0])?.turned().and(sense(&parts[1])?),
            // Calendar months turn back: a month on from the evening of the
            // 30th of January is later than one from the morning of the 31st.
            Function::AddTime(Unit::Months | Unit::Years) => None,
            Function::Add | Function::AddTime(_) => sense(&parts[0])?.and(sense(&parts[1])?),
            Function::Multiply | Function::Divide if !parts[1].is_clocked() => Some(sense(&parts[0])?.times(&parts[1])),
            Function::Multiply if !parts[0].is_clocked() => Some(sense(&parts[1])?.times(&parts[0])),
            _ => None,
        },
        Op::Worked(worked) => worked_sense(worked),
        Op::Case(branches, otherwise) => {
            if branches.iter().any(|(condition, _)| condition.is_clocked()) {
                return None;
            }
            let mut values = branches.iter().map(|(_, value)| value).chain(otherwise.as_deref());
            values.try_fold(Sense::Steady, |known, value| Some(known.or(sense(value)?)))
        }
        _ => None,
    }
}

fn worked_sense(worked: &Worked) -> Option<Sense> {
    let parts = &worked.arguments;
    if worked.ident.as_ref().is_some_and(Node::is_clocked) {
        return None;
    }
    match worked.work {
        Work::Between(_) => sense(&parts[0])?.turned().and(sense(&parts[1])?),
        Work::Add(_) => sense(&parts[0])?.and(sense(&parts[1])?),
        Work::Remap(_) => sense(&parts[0]),
        // Where clocks change at midnight a day may come twice.
        Work::WorkdaysBetween if worked.calendar.is_in_utc() => sense(&parts[0])?.turned().and(sense(&parts[1])?),
        Work::WorkdaysBetween | Work::AddWorkdays | Work::IsIn => None,
    }
}

/// Returns by how much a value grows per millisecond of NOW(), if it is linear.
pub(crate) fn slope(node: &Node) -> Option<f64> {
    if !node.is_clocked() {
        return Some(0.0);
    }
    match &node.op {
        Op::Now => Some(1.0),
        Op::Bind(value) => slope(value),
        Op::Apply(function, parts) => match function {
            Function::ToFloat | Function::Add | Function::Subtract | Function::Negate => {
                let first = slope(&parts[0])?;
                Some(match function {
                    Function::Add => first + slope(&parts[1])?,
                    Function::Subtract => first - slope(&parts[1])?,
                    Function::Negate => -first,
                    _ => first,
                })
            }
            Function::Between(unit) => Some((slope(&parts[1])? - slope(&parts[0])?) / unit.millis()),
            // Calendar months are not all equally long, so they are no slope.
            Function::AddTime(Unit::Months | Unit::Years) => None,
            Function::AddTime(_) if !parts[1].is_clocked() => slope(&parts[0]),
            Function::Multiply => match (constant(&parts[0]), constant(&parts[1])) {
                (Some(factor), _) => Some(slope(&parts[1])? * factor),
                (_, Some(factor)) => Some(slope(&parts[0])? * factor),
                _ => None,
            },
            Function::Divide => Some(slope(&parts[0])? / constant(&parts[1]).filter(|divisor| *divisor != 0.0)?),
            _ => None,
        },
        _ => None,
    }
}

fn constant(node: &Node) -> Option<f64> {
    match &node.op {
        Op::Constant(Value::Int(number)) => Some(*number as f64),
        Op::Constant(Value::Float(number)) => Some(*number),
        Op::Apply(Function::ToFloat, parts) => constant(&parts[0]),
        Op::Apply(Function::Negate, parts) => constant(&parts[0]).map(|number| -number),
        _ => None,
    }
}

/// Returns the next instant after `now` at which a comparison may change,
/// given left minus right at instant 0.
///
/// The answer may be early by what doubles blur, never late: if the comparison
/// has not changed by then, the next answer is one millisecond on.
pub fn next_change(difference_at_zero: f64, slope: f64, now: i64) -> Option<i64> {
    let crossing = -difference_at_zero / slope;
    // Beyond what a date can be, nothing will ever be evaluated.
    if crossing.is_nan() || crossing.abs() > 4.0e15 {
        return None;
    }
    let first = (crossing - BLUR_MILLIS).floor() as i64 + 1;
    if now < first {
        Some(first)
    } else if (now as f64) < crossing + 1.0 {
        Some(now + 1)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_never_announced_late() {
        // 1 h after 1,000,000 ms: strictly greater from the millisecond after.
        let slope = 1.0 / 3_600_000.0;
        let difference = (0.0 - 1_000_000.0) / 3_600_000.0 - 1.0;
        assert_eq!(next_change(difference, slope, 0), Some(4_600_000));
        assert_eq!(next_change(difference, slope, 4_600_000), Some(4_600_001));
        assert_eq!(next_change(difference, slope, 4_600_001), None);
    }
}
