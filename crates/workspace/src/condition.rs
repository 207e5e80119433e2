//! What a `condition_task` says: a comparison of two texts.

use crate::settings::Comparison;

/// Compares; the error is for the person who wrote the condition. The first
/// two comparisons are of texts, so that a task value `true` can be compared;
/// the others are of numbers.
pub(crate) fn holds(op: Comparison, left: &str, right: &str) -> Result<bool, String> {
    match op {
        Comparison::EqualTo => return Ok(left == right),
        Comparison::NotEqual => return Ok(left != right),
        _ => {}
    }
    let number = |side: &str, text: &str| match text.trim().parse::<f64>() {
        Ok(number) if number.is_finite() => Ok(number),
        _ => Err(format!("the {side} side of the condition is \"{text}\", which is not a number")),
    };
    let (left, right) = (number("left", left)?, number("right", right)?);
    Ok(match op {
        Comparison::GreaterThan => left > right,
        Comparison::GreaterThanOrEqual => left >= right,
        Comparison::LessThan => left < right,
        Comparison::LessThanOrEqual => left <= right,
        Comparison::EqualTo | Comparison::NotEqual => unreachable!("texts were compared above"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_compare_as_texts_and_numbers_as_numbers() {
        use Comparison::{EqualTo, GreaterThan, GreaterThanOrEqual, LessThan, LessThanOrEqual, NotEqual};
        for (left, op, right, expected) in [
            ("true", EqualTo, "true", Some(true)),
            ("12.0", EqualTo, "12", Some(false)),
            ("12.0", NotEqual, "12", Some(true)),
            ("12.0", GreaterThanOrEqual, "12", Some(true)),
            ("10", GreaterThan, "9", Some(true)),
            ("10.0", GreaterThanOrEqual, "12", Some(false)),
            ("-1", LessThan, "0", Some(true)),
            (" 3 ", LessThanOrEqual, "3", Some(true)),
            ("", LessThan, "3", None),
            ("NaN", LessThan, "3", None),
            ("1", LessThan, "three", None),
        ] {
            assert_eq!(holds(op, left, right).ok(), expected, "{left} {op:?} {right}");
        }
    }
}
