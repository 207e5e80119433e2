//! Functions that people bring along from the original's transformations and
//! that the engine does not have, or has under another name.
//!
//! Differences of times: `DATEDIFF(unit, from, to)` counts the borders of the
//! unit that lie between the two (New Year's Eve to New Year is one year),
//! `TIMESTAMPDIFF(unit, from, to)` counts whole units that have passed.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, StringBuilder, TimestampMicrosecondArray};
use arrow::compute::{DatePart, cast, date_part};
use arrow::datatypes::{DataType, Int64Type, TimeUnit, TimestampMicrosecondType};
use datafusion::common::config::ConfigOptions;
use datafusion::common::{DataFusionError, Result, exec_err};
use datafusion::execution::{FunctionRegistry as _, SessionState};
use datafusion::functions::{core, datetime, unicode};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};
use md5::{Digest as _, Md5};

const DAY: i64 = 86_400_000_000;

/// Adds the functions to those of the engine.
pub(crate) fn add(state: &mut SessionState) {
    let renamed = [
        core::nvl().as_ref().clone().with_aliases(["isnull"]),
        datetime::now(&ConfigOptions::default()).as_ref().clone().with_aliases(["getdate", "sysdate"]),
        unicode::character_length().as_ref().clone().with_aliases(["len"]),
    ];
    let own = Function::ALL.map(|function| ScalarUDF::from(Own::new(function)));
    for function in renamed.into_iter().chain(own) {
        state.register_udf(Arc::new(function)).expect("functions may be added to a new session");
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Function {
    DateDiff,
    TimestampDiff,
    DateAdd,
    TimestampAdd,
    AddMonths,
    LastDay,
    Md5,
    Part(Part),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Part {
    Year,
    Quarter,
    Month,
    Week,
    Day,
    Hour,
    Minute,
    Second,
}

impl Function {
    const ALL: [Function; 15] = [
        Function::DateDiff,
        Function::TimestampDiff,
        Function::DateAdd,
        Function::TimestampAdd,
        Function::AddMonths,
        Function::LastDay,
        Function::Md5,
        Function::Part(Part::Year),
        Function::Part(Part::Quarter),
        Function::Part(Part::Month),
        Function::Part(Part::Week),
        Function::Part(Part::Day),
        Function::Part(Part::Hour),
        Function::Part(Part::Minute),
        Function::Part(Part::Second),
    ];

    fn name(self) -> &'static str {
        match self {
            Function::DateDiff => "datediff",
            Function::TimestampDiff => "timestampdiff",
            Function::DateAdd => "dateadd",
            Function::TimestampAdd => "timestampadd",
            Function::AddMonths => "add_months",
            Function::LastDay => "last_day",
            Function::Md5 => "md5",
            Function::Part(Part::Year) => "year",
            Function::Part(Part::Quarter) => "quarter",
            Function::Part(Part::Month) => "month",
            Function::Part(Part::Week) => "week",
            Function::Part(Part::Day) => "day",
            Function::Part(Part::Hour) => "hour",
            Function::Part(Part::Minute) => "minute",
            Function::Part(Part::Second) => "second",
        }
    }

    fn arguments(self) -> usize {
        match self {
            Function::DateDiff | Function::TimestampDiff | Function::DateAdd | Function::TimestampAdd => 3,
            Function::AddMonths => 2,
            Function::LastDay | Function::Md5 | Function::Part(_) => 1,
        }
    }

    fn returns(self) -> DataType {
        match self {
            Function::DateDiff | Function::TimestampDiff | Function::Part(_) => DataType::Int64,
            Function::DateAdd | Function::TimestampAdd | Function::AddMonths | Function::LastDay => time(),
            Function::Md5 => DataType::Utf8,
        }
    }
}

fn time() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Own {
    function: Function,
    signature: Signature,
}

impl Own {
    fn new(function: Function) -> Self {
        Own { function, signature: Signature::any(function.arguments(), Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for Own {
    fn name(&self) -> &str {
        self.function.name()
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(self.function.returns())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let rows = args.number_rows;
        let arrays: Result<Vec<ArrayRef>> = args.args.iter().map(|value| value.to_array(rows)).collect();
        let arrays = arrays?;
        let made: ArrayRef = match self.function {
            Function::DateDiff | Function::TimestampDiff => {
                let (from, to) = (times(&arrays[1])?, times(&arrays[2])?);
                let whole = self.function == Function::TimestampDiff;
                let count = |row, unit: Unit| {
                    let (from, to) = (from.value(row), to.value(row));
                    if whole { unit.passed(from, to) } else { unit.place(to) - unit.place(from) }
                };
                let units = units(&arrays[0])?;
                let known = |row: usize| from.is_valid(row) && to.is_valid(row);
                let counts = units.iter().enumerate();
                let counts = counts.map(|(row, unit)| unit.filter(|_| known(row)).map(|unit| count(row, unit)));
                Arc::new(counts.collect::<Int64Array>())
            }
            Function::DateAdd | Function::TimestampAdd => {
                later(&units(&arrays[0])?, &cast(&arrays[1], &DataType::Int64)?, &arrays[2])?
            }
            Function::AddMonths => {
                later(&vec![Some(Unit::Months(1)); rows], &cast(&arrays[1], &DataType::Int64)?, &arrays[0])?
            }
            Function::LastDay => {
                let last = |micros: i64| {
                    let (year, month, _) = civil(micros.div_euclid(DAY));
                    days(year, month, length_of(year, month)) * DAY
                };
                let times = times(&arrays[0])?;
                Arc::new(times.unary::<_, TimestampMicrosecondType>(last).with_timezone("UTC"))
            }
            Function::Md5 => md5_of(&arrays[0])?,
            Function::Part(part) => {
                let part = match part {
                    Part::Year => DatePart::Year,
                    Part::Quarter => DatePart::Quarter,
                    Part::Month => DatePart::Month,
                    Part::Week => DatePart::Week,
                    Part::Day => DatePart::Day,
                    Part::Hour => DatePart::Hour,
                    Part::Minute => DatePart::Minute,
                    Part::Second => DatePart::Second,
                };
                cast(&date_part(&times(&arrays[0])?, part)?, &DataType::Int64)?
            }
        };
        Ok(ColumnarValue::Array(made))
    }
}

fn times(array: &ArrayRef) -> Result<TimestampMicrosecondArray> {
    let plain = cast(array, &DataType::Timestamp(TimeUnit::Microsecond, None))?;
    if plain.null_count() > array.null_count() {
        return exec_err!("a text is not a time such as 2026-01-31 08:30:00");
    }
    Ok(plain.as_primitive::<TimestampMicrosecondType>().clone())
}

fn units(array: &ArrayRef) -> Result<Vec<Option<Unit>>> {
    let texts = cast(array, &DataType::Utf8)?;
    texts.as_string::<i32>().iter().map(|text| text.map(Unit::of).transpose()).collect()
}

/// Adds so many units to times.
fn later(units: &[Option<Unit>], numbers: &ArrayRef, from: &ArrayRef) -> Result<ArrayRef> {
    let (numbers, from) = (numbers.as_primitive::<Int64Type>(), times(from)?);
    let mut later = Vec::with_capacity(units.len());
    for (row, unit) in units.iter().enumerate() {
        let known = unit.filter(|_| numbers.is_valid(row) && from.is_valid(row));
        later.push(match known {
            None => None,
            Some(unit) => Some(unit.after(from.value(row), numbers.value(row)).ok_or_else(|| {
                DataFusionError::Execution(format!("{} units later is beyond all times", numbers.value(row)))
            })?),
        });
    }
    Ok(Arc::new(TimestampMicrosecondArray::from(later).with_timezone("UTC")))
}

fn md5_of(array: &ArrayRef) -> Result<ArrayRef> {
    let texts = cast(array, &DataType::Utf8)?;
    let mut sums = StringBuilder::new();
    for text in texts.as_string::<i32>() {
        sums.append_option(
            text.map(|text| Md5::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect::<String>()),
        );
    }
    Ok(Arc::new(sums.finish()))
}

/// A unit of time: so many months, or so many microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    Months(i64),
    Micros(i64),
}

impl Unit {
    fn of(text: &str) -> Result<Self> {
        let lower = text.trim().to_ascii_lowercase();
        Ok(match lower.as_str() {
            "year" | "years" | "yyyy" | "yy" => Unit::Months(12),
            "quarter" | "quarters" | "qq" | "q" => Unit::Months(3),
            "month" | "months" | "mm" | "m" => Unit::Months(1),
            "week" | "weeks" | "wk" | "ww" => Unit::Micros(7 * DAY),
            "day" | "days" | "dd" | "d" | "dayofyear" | "dy" | "y" => Unit::Micros(DAY),
            "hour" | "hours" | "hh" => Unit::Micros(3_600_000_000),
            "minute" | "minutes" | "mi" | "n" => Unit::Micros(60_000_000),
            "second" | "seconds" | "ss" | "s" => Unit::Micros(1_000_000),
            "millisecond" | "milliseconds" | "ms" => Unit::Micros(1_000),
            "microsecond" | "microseconds" | "us" => Unit::Micros(1),
            _ => {
                return exec_err!(
                    "\"{text}\" is no unit of time: year, quarter, month, week, day, hour, minute, second, millisecond or microsecond"
                );
            }
        })
    }

    /// Returns in which unit since the beginning a time lies. Weeks begin on
    /// Sunday, as DATEDIFF has it.
    fn place(self, micros: i64) -> i64 {
        match self {
            Unit::Months(months) => {
                let (year, month, _) = civil(micros.div_euclid(DAY));
                (year * 12 + month - 1).div_euclid(months)
            }
            // 1 January 1970 was a Thursday.
            Unit::Micros(width) if width == 7 * DAY => (micros + 4 * DAY).div_euclid(width),
            Unit::Micros(width) => micros.div_euclid(width),
        }
    }

    /// Returns how many whole units lie between two times.
    fn passed(self, from: i64, to: i64) -> i64 {
        match self {
            Unit::Micros(width) => (to - from) / width,
            Unit::Months(months) => {
                let (first, last, sign) = if from <= to { (from, to, 1) } else { (to, from, -1) };
                let count = |micros: i64| {
                    let (year, month, _) = civil(micros.div_euclid(DAY));
                    year * 12 + month
                };
                let within = |micros: i64| (civil(micros.div_euclid(DAY)).2, micros.rem_euclid(DAY));
                let begun = count(last) - count(first);
                let whole = if within(last) < within(first) { begun - 1 } else { begun };
                sign * (whole / months)
            }
        }
    }

    /// Returns the time so many units later; the 31st of a shorter month is
    /// its last day.
    fn after(self, micros: i64, number: i64) -> Option<i64> {
        match self {
            Unit::Micros(width) => micros.checked_add(width.checked_mul(number)?),
            Unit::Months(months) => {
                let (year, month, day) = civil(micros.div_euclid(DAY));
                let total = (year * 12 + month - 1).checked_add(months.checked_mul(number)?)?;
                let (year, month) = (total.div_euclid(12), total.rem_euclid(12) + 1);
                if !(-200_000..=200_000).contains(&year) {
                    return None;
                }
                Some(days(year, month, day.min(length_of(year, month))) * DAY + micros.rem_euclid(DAY))
            }
        }
    }
}

/// Returns year, month and day of a number of days since 1970. (Years that
/// begin in March put the leap day last.)
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

/// Returns the number of days since 1970.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = year - i64::from(month <= 2);
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let march_month = if month > 2 { month - 3 } else { month + 9 };
    let of_year = (153 * march_month + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + of_year - 719_468
}

fn length_of(year: i64, month: i64) -> i64 {
    let (next_year, next_month) = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
    days(next_year, next_month, 1) - days(year, month, 1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn days_and_dates_agree(number in -1_000_000_i64..1_000_000) {
            let (year, month, day) = civil(number);
            prop_assert_eq!(days(year, month, day), number);
            prop_assert!((1..=length_of(year, month)).contains(&day));
        }

        #[test]
        fn what_was_added_has_passed(from in 0_i64..4_000_000_000_000_000, number in 0_i64..500) {
            for unit in [Unit::Micros(DAY), Unit::Micros(7 * DAY)] {
                let to = unit.after(from, number).expect("not beyond all times");
                prop_assert_eq!(unit.passed(from, to), number);
                prop_assert_eq!(unit.place(to) - unit.place(from), number);
            }
            let to = Unit::Months(1).after(from, number).expect("not beyond all times");
            prop_assert_eq!(Unit::Months(1).place(to) - Unit::Months(1).place(from), number);
        }
    }
}
