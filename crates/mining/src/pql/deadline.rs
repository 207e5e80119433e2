//! When a condition that looks at the clock will change its answer.
//!
//! Evaluating everything every second would do, and would cost everything
//! every second. Instead the clock is brought to one side: a comparison whose
//! two sides are linear in NOW() with a constant slope, such as
//! `HOURS_BETWEEN(x, NOW()) > y`, changes at one instant per row, which can be
//! computed from the row. What surrounds the comparison does not matter: the
//! rows are evaluated again at that instant, and the evaluation decides.
//!
//! `TODAY()` and its kin change at known boundaries. Any other use of NOW()
//! is evaluated again every [`CADENCE_MILLIS`], which publishing says aloud.

use super::plan::{ClockPart, Function, Node, Op, Unit};
use crate::value::Value;

/// How often conditions are evaluated whose use of NOW() has no normal form.
pub const CADENCE_MILLIS: i64 = 5 * 60_000;

/// How far a computed instant may be off: doubles hold today's milliseconds to
/// about a ten-thousandth.
const BLUR_MILLIS: f64 = 0.01;

/// How a plan depends on the clock.
#[derive(Clone, Debug, Default)]
pub struct ClockUse {
    /// Comparisons that are linear in NOW(), each with the slope of left minus
    /// right per millisecond.
    pub comparisons: Vec<(Node, f64)>,
    /// Boundaries at which everything is evaluated.
    pub boundaries: Vec<i64>,
    /// There is a NOW() without normal form.
    pub irregular: bool,
}

impl ClockUse {
    /// Reads how conditions depend on the clock.
    pub fn of<'a>(conditions: impl IntoIterator<Item = &'a Node>) -> Self {
        let mut found = ClockUse::default();
        for condition in conditions {
            found.add(condition);
        }
        if found.irregular {
            found.boundaries.push(CADENCE_MILLIS);
        }
        found.boundaries.sort_unstable();
        found.boundaries.dedup();
        found
    }

    /// Tells whether the clock has no part in it.
    pub fn is_none(&self) -> bool {
        self.comparisons.is_empty() && self.boundaries.is_empty()
    }

    /// Returns the next instant at which everything is evaluated.
    pub fn next_boundary(&self, now: i64) -> Option<i64> {
        self.boundaries.iter().map(|every| (now.div_euclid(*every) + 1) * every).min()
    }

    fn add(&mut self, node: &Node) {
        if !node.is_clocked() {
            return;
        }
        match &node.op {
            Op::Now => self.irregular = true,
            Op::ClockPart(part) => self.boundaries.push(match part {
                ClockPart::Today => Unit::Days.millis() as i64,
                ClockPart::Hour => Unit::Hours.millis() as i64,
                ClockPart::Minute => Unit::Minutes.millis() as i64,
            }),
            Op::Compare(_, left, right) => {
                let slope = slope(left).zip(slope(right)).map(|(left, right)| left - right);
                match slope.filter(|slope| *slope != 0.0) {
                    Some(slope) => self.comparisons.push((node.clone(), slope)),
                    None => node.each_child(|child| self.add(child)),
                }
            }
            _ => node.each_child(|child| self.add(child)),
        }
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
