//! When a comparison with the clock changes its answer for a row.
//!
//! A comparison whose sides only ever grow apart in one direction changes at
//! instants that can be found: a guess by inversion ("40 working hours after
//! the last event"), and from there the exact millisecond by asking the same
//! functions that the evaluator uses. Whatever doubles round, the instant found
//! is the one at which the evaluator's answer flips.

use std::cmp::Ordering;
use std::sync::Arc;

use super::evaluator::InScope;
use super::operand::Operand;
use super::scalar::{floats, ints, whole};
use super::worked::{self, Calendars};
use crate::dates;
use crate::pql::check::type_of;
use crate::pql::plan::{ClockPart, Function, Grain, Node, Op, Unit, Work};
use crate::pql::syntax::Comparison;
use crate::value::{Type, Value};

/// The last millisecond that is a date.
const LAST: i64 = 253_402_300_799_999;

/// A comparison that waits to be asked at instants.
pub(super) struct Moving {
    comparison: Comparison,
    own: Type,
    left: Term,
    right: Term,
}

enum Term {
    /// Does not look at the clock.
    Steady(Operand),
    Now,
    Today,
    Apply(Function, Type, Vec<Term>),
    Worked(Work, Arc<Calendars>, Option<Operand>, Vec<Term>),
    Case(Vec<(Operand, Term)>, Option<Box<Term>>),
}

/// What a comparison says at an instant, and where its dates lie relative to
/// what their calendars know. Both only ever move in one direction.
#[derive(PartialEq)]
struct Outcome {
    order: Option<Ordering>,
    sides: i64,
}

impl Moving {
    /// Takes up a comparison that [`crate::pql::deadline`] found to be monotone.
    pub(super) fn new(scope: &InScope<'_>, comparison: &Node) -> Self {
        let Op::Compare(sign, left, right) = &comparison.op else { unreachable!("only comparisons are monotone") };
        let term = |node: &Node| Term::new(scope, node, comparison.grain);
        Moving { comparison: *sign, own: type_of(left), left: term(left), right: term(right) }
    }

    /// Returns the first instant after `now` at which the answer for a row is
    /// another one.
    pub(super) fn next_change(&self, row: usize, now: i64) -> Option<i64> {
        let truth = |at: i64| self.order(row, at).map(|order| self.comparison.holds(order));
        let answer = truth(now);
        let mut at = now;
        // Less, equal, greater, and at most three sides per calendar.
        for _ in 0..16 {
            at = self.next_outcome(row, at)?;
            if truth(at) != answer {
                break;
            }
        }
        Some(at)
    }

    fn order(&self, row: usize, at: i64) -> Option<Ordering> {
        let (left, right) = (self.left.value(row, at), self.right.value(row, at));
        match (left, right, self.own) {
            (Value::Null, _, _) | (_, Value::Null, _) => None,
            (left, right, Type::Float) => float(&left)?.partial_cmp(&float(&right)?),
            (left, right, _) => Some(integer(&left)?.cmp(&integer(&right)?)),
        }
    }

    fn outcome(&self, row: usize, at: i64) -> Outcome {
        let mut sides = 0;
        self.left.sides(row, at, &mut sides);
        self.right.sides(row, at, &mut sides);
        Outcome { order: self.order(row, at), sides }
    }

    /// Returns the first instant after `at` with another outcome.
    fn next_outcome(&self, row: usize, at: i64) -> Option<i64> {
        if at >= LAST {
            return None;
        }
        let known = self.outcome(row, at);
        let differs = |instant: i64| self.outcome(row, instant) != known;
        let guess = self.guess(row).map_or(at + 1, |guess| (guess as i64).clamp(at + 1, LAST));
        // Between `low`, which is as now, and `high`, which is not.
        let (mut low, mut high, mut step) = (guess, guess, 1);
        if differs(guess) {
            low = guess - 1;
            while low > at && differs(low) {
                high = low;
                step *= 2;
                low = (guess - step).max(at);
            }
        } else {
            loop {
                high = low.saturating_add(step).min(LAST);
                if differs(high) {
                    break;
                }
                if high == LAST {
                    return None;
                }
                low = high;
                step *= 2;
            }
        }
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            if differs(middle) {
                high = middle;
            } else {
                low = middle;
            }
        }
        Some(high)
    }

    /// Returns about when the two sides are equal.
    fn guess(&self, row: usize) -> Option<f64> {
        match (&self.left, &self.right) {
            (Term::Steady(_), right) => right.invert(row, float(&self.left.value(row, 0))?),
            (left, Term::Steady(_)) => left.invert(row, float(&self.right.value(row, 0))?),
            _ => None,
        }
        .filter(|guess| guess.is_finite())
    }
}

impl Term {
    fn new(scope: &InScope<'_>, node: &Node, grain: Grain) -> Self {
        if !node.is_clocked() {
            return Term::Steady(scope.operand(node, grain));
        }
        let term = |node: &Node| Term::new(scope, node, grain);
        match &node.op {
            Op::Now => Term::Now,
            Op::ClockPart(ClockPart::Today) => Term::Today,
            Op::Apply(function, parts) => Term::Apply(*function, type_of(node), parts.iter().map(term).collect()),
            Op::Worked(worked) => {
                let ident = worked.ident.as_ref().map(|ident| scope.operand(ident, grain));
                let parts = worked.arguments.iter().map(term).collect();
                Term::Worked(worked.work, scope.calendars(node.id, worked), ident, parts)
            }
            Op::Case(branches, otherwise) => {
                let branch = |(condition, value): &(Node, Node)| (scope.operand(condition, grain), term(value));
                let otherwise = otherwise.as_deref().map(|otherwise| Box::new(term(otherwise)));
                Term::Case(branches.iter().map(branch).collect(), otherwise)
            }
            other => unreachable!("{other:?} is not monotone"),
        }
    }

    /// Computes what the evaluator would.
    fn value(&self, row: usize, now: i64) -> Value {
        match self {
            Term::Steady(operand) => operand.value(row),
            Term::Now => Value::Date(now),
            Term::Today => dates::round(crate::pql::plan::DatePart::Day, now).map_or(Value::Null, Value::Date),
            Term::Apply(function, own, parts) => apply(*function, *own, parts, row, now).unwrap_or(Value::Null),
            Term::Worked(work, calendars, ident, parts) => {
                let value = || {
                    let calendar = calendars.of_row(ident.as_ref(), row)?;
                    let first = integer(&parts[0].value(row, now))?;
                    let second = || parts[1].value(row, now);
                    Some(match work {
                        Work::Between(unit) => {
                            Value::Float(worked::between(calendar, *unit, first, integer(&second())?)?)
                        }
                        Work::Add(unit) => Value::Date(worked::add(calendar, *unit, first, float(&second())?)?),
                        Work::Remap(unit) => Value::Int(worked::remap(calendar, *unit, first)?),
                        Work::WorkdaysBetween => Value::Int(calendar.workdays_between(first, integer(&second())?)?),
                        Work::AddWorkdays | Work::IsIn => unreachable!("these are not monotone"),
                    })
                };
                value().unwrap_or(Value::Null)
            }
            Term::Case(..) => self.branch(row).map_or(Value::Null, |branch| branch.value(row, now)),
        }
    }

    /// Returns the branch that a row takes, whatever the clock says.
    fn branch(&self, row: usize) -> Option<&Term> {
        let Term::Case(branches, otherwise) = self else { return None };
        for (condition, value) in branches {
            match condition.truth(row) {
                Some(true) => return Some(value),
                Some(false) => {}
                None => return None,
            }
        }
        otherwise.as_deref()
    }

    /// Notes on which side of their calendars the dates lie.
    fn sides(&self, row: usize, now: i64, sides: &mut i64) {
        match self {
            Term::Steady(_) | Term::Now | Term::Today => {}
            Term::Apply(_, _, parts) => {
                for part in parts {
                    part.sides(row, now, sides);
                }
            }
            Term::Case(..) => {
                if let Some(branch) = self.branch(row) {
                    branch.sides(row, now, sides);
                }
            }
            Term::Worked(_, calendars, ident, parts) => {
                for part in parts {
                    part.sides(row, now, sides);
                }
                let Some(calendar) = calendars.of_row(ident.as_ref(), row) else { return };
                for part in parts.iter().filter(|part| !matches!(part, Term::Steady(_))) {
                    if let Value::Date(at) = part.value(row, now) {
                        *sides = sides.wrapping_mul(3) + i64::from(calendar.side(at)) + 1;
                    }
                }
            }
        }
    }

    /// Returns about when the value is `target`, if that can be told.
    fn invert(&self, row: usize, target: f64) -> Option<f64> {
        let steady = |part: &Term| float(&part.value(row, 0));
        match self {
            Term::Steady(_) => None,
            Term::Now | Term::Today => Some(target),
            Term::Case(..) => self.branch(row)?.invert(row, target),
            Term::Apply(function, _, parts) => match (function, &parts[..]) {
                (Function::Negate, [part]) => part.invert(row, -target),
                (Function::Remap(unit), [part]) => part.invert(row, target * unit.millis()),
                (_, [part]) => part.invert(row, target),
                (Function::Add, [one, Term::Steady(_)]) => one.invert(row, target - steady(&parts[1])?),
                (Function::Add, [Term::Steady(_), other]) => other.invert(row, target - steady(&parts[0])?),
                (Function::Subtract, [one, Term::Steady(_)]) => one.invert(row, target + steady(&parts[1])?),
                (Function::Subtract, [Term::Steady(_), other]) => other.invert(row, steady(&parts[0])? - target),
                (Function::Multiply, [one, Term::Steady(_)]) => one.invert(row, target / steady(&parts[1])?),
                (Function::Multiply, [Term::Steady(_), other]) => other.invert(row, target / steady(&parts[0])?),
                (Function::Divide, [one, Term::Steady(_)]) => one.invert(row, target * steady(&parts[1])?),
                (Function::Between(unit), [one, Term::Steady(_)]) => {
                    one.invert(row, steady(&parts[1])? - target * unit.millis())
                }
                (Function::Between(unit), [Term::Steady(_), other]) => {
                    other.invert(row, steady(&parts[0])? + target * unit.millis())
                }
                (Function::AddTime(unit), [one, Term::Steady(_)]) => {
                    one.invert(row, target - steady(&parts[1])? * unit.millis())
                }
                _ => parts.iter().find_map(|part| part.invert(row, target)),
            },
            Term::Worked(work, calendars, ident, parts) => {
                let calendar = calendars.of_row(ident.as_ref(), row)?;
                let moved = |from: f64, by: f64, unit: Unit| {
                    let number = calendar.before(whole(from)?).checked_add(whole((by * unit.millis()).round())?)?;
                    calendar.at(number).map(|at| at as f64)
                };
                match (work, &parts[..]) {
                    (Work::Between(unit), [Term::Steady(_), other]) => {
                        other.invert(row, moved(steady(&parts[0])?, target, *unit)?)
                    }
                    (Work::Between(unit), [one, Term::Steady(_)]) => {
                        one.invert(row, moved(steady(&parts[1])?, -target, *unit)?)
                    }
                    (Work::Add(unit), [one, Term::Steady(_)]) => {
                        one.invert(row, moved(target, -steady(&parts[1])?, *unit)?)
                    }
                    (Work::Remap(unit), [part]) => part.invert(row, moved(0.0, target, *unit)?),
                    _ => None,
                }
            }
        }
    }
}

fn apply(function: Function, own: Type, parts: &[Term], row: usize, now: i64) -> Option<Value> {
    let value = |place: usize| parts[place].value(row, now);
    let number = |place: usize| float(&value(place));
    let instant = |place: usize| integer(&value(place));
    Some(match function {
        Function::Add | Function::Subtract | Function::Multiply | Function::Divide if own == Type::Float => {
            Value::Float(floats(function, number(0)?, number(1)?).filter(|value| value.is_finite())?)
        }
        Function::Add | Function::Subtract | Function::Multiply => {
            Value::Int(ints(function, instant(0)?, instant(1)?)?)
        }
        Function::Negate if own == Type::Int => Value::Int(instant(0)?.checked_neg()?),
        Function::Negate => Value::Float(-number(0)?),
        Function::ToFloat => Value::Float(number(0)?),
        Function::ToInt | Function::Floor | Function::Ceil | Function::Round => match value(0) {
            Value::Float(value) => Value::Int(whole(match function {
                Function::Floor => value.floor(),
                Function::Ceil => value.ceil(),
                Function::Round => value.round(),
                _ => value.trunc(),
            })?),
            value => Value::Int(integer(&value)?),
        },
        Function::Between(unit) => Value::Float((instant(1)? - instant(0)?) as f64 / unit.millis()),
        Function::AddTime(unit) => Value::Date(dates::add(unit, instant(0)?, number(1)?)?),
        Function::Remap(unit) => Value::Int(instant(0)?.div_euclid(unit.millis() as i64)),
        Function::RoundTime(part) => Value::Date(dates::round(part, instant(0)?)?),
        other => unreachable!("{other:?} is not monotone"),
    })
}

fn float(value: &Value) -> Option<f64> {
    match value {
        Value::Int(number) | Value::Date(number) => Some(*number as f64),
        Value::Float(number) => Some(*number),
        Value::Null | Value::Text(_) => None,
    }
}

fn integer(value: &Value) -> Option<i64> {
    if let Value::Int(number) | Value::Date(number) = value { Some(*number) } else { None }
}
