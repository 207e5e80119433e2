//! 64-bit numbers on the wire.
//!
//! Ids have up to 18 digits. They are accepted as numbers and, because some
//! clients send them so, as texts of digits; a number with a fraction or an
//! exponent has been through a double and may already be another one, so it is
//! refused.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, Visitor};

/// A whole number, exact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Number(pub(super) i64);

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NumberVisitor)
    }
}

struct NumberVisitor;

impl Visitor<'_> for NumberVisitor {
    type Value = Number;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a 64-bit whole number")
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Number, E> {
        Ok(Number(number))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Number, E> {
        i64::try_from(number).map(Number).map_err(|_| E::custom(format!("{number} has more than 64 bits")))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Number, E> {
        text.parse().map(Number).map_err(|_| E::custom(format!("\"{text}\" is not a 64-bit whole number")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_every_digit() {
        for (text, expected) in [
            ("9223372036854775807", Some(i64::MAX)),
            ("-9223372036854775808", Some(i64::MIN)),
            ("\"123456789012345678\"", Some(123_456_789_012_345_678)),
            ("9223372036854775808", None),
            ("1.5", None),
            ("1e17", None),
            ("\"a\"", None),
            ("true", None),
        ] {
            let number = serde_json::from_str::<Number>(text).ok().map(|number| number.0);
            assert_eq!(number, expected, "{text}");
        }
    }
}
