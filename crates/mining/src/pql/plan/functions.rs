//! What is computed of the values of one row, and of the clock.

/// Parts of the clock, in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClockPart {
    /// Midnight of the day.
    Today,
    /// 0 to 23.
    Hour,
    /// 0 to 59.
    Minute,
}

/// Units of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// 1 ms.
    Millis,
    /// 1,000 ms.
    Seconds,
    /// 60 s.
    Minutes,
    /// 60 min.
    Hours,
    /// 24 h.
    Days,
    /// A calendar month; as a span 365.2425 / 12 days.
    Months,
    /// A calendar year; as a span 365.2425 days.
    Years,
}

impl Unit {
    /// Returns how many milliseconds it lasts; of months and years the mean.
    pub fn millis(self) -> f64 {
        match self {
            Unit::Millis => 1.0,
            Unit::Seconds => 1_000.0,
            Unit::Minutes => 60_000.0,
            Unit::Hours => 3_600_000.0,
            Unit::Days => 86_400_000.0,
            Unit::Months => 86_400_000.0 * 365.2425 / 12.0,
            Unit::Years => 86_400_000.0 * 365.2425,
        }
    }
}

/// Functions of the values of one row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are those of the operators")]
pub enum Function {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
    Negate,
    Concat,
    ToFloat,
    ToInt,
    ToText,
    /// `(b - a)` in a unit.
    Between(Unit),
    /// A date moved by a number of units.
    AddTime(Unit),
    /// Whole units since 1970.
    Remap(Unit),
    /// 1 if there is no value, else 0.
    IsNull,
    Coalesce,
    Greatest,
    Least,
    Upper,
    Lower,
    Len,
    Left,
    Right,
    Substring,
    TrimLeft,
    TrimRight,
    Replace,
    Abs,
    Round,
    Floor,
    Ceil,
    Power,
    Sqrt,
    Log,
    /// Rounded to a number of digits.
    RoundTo,
    /// A part of a date as a number.
    Part(DatePart),
    /// A date with all that is smaller than the part set back.
    RoundTime(DatePart),
    /// A date as text in a format.
    FormatDate,
    /// A text in a format as a date.
    ParseDate,
    /// From the walls of one zone to those of another.
    ConvertZone,
    DateBetween,
    Split,
    PatIndex,
    /// A value, and pairs of what is replaced by what; with a last argument
    /// for all others if true.
    RemapValues(bool),
    UniqueId,
}

/// Parts of a date.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DatePart {
    /// 1400 to 9999.
    Year,
    /// 1 to 4.
    Quarter,
    /// 1 to 12.
    Month,
    /// 1 to 53, as ISO 8601 counts; weeks begin on Monday.
    Week,
    /// 1 to 31.
    Day,
    /// 0 for Sunday to 6 for Saturday.
    DayOfWeek,
    /// 0 to 23.
    Hours,
    /// 0 to 59.
    Minutes,
    /// 0 to 59.
    Seconds,
    /// 0 to 999.
    Millis,
    /// 28 to 31.
    DaysInMonth,
}
