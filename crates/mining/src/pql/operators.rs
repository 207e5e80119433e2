//! The operators by name: what they take, and what else could be meant.

use super::plan::{Aggregation, ClockPart, DatePart, Function, Occurrence, Unit, WindowKind};
use crate::value::Type;

/// What a name stands for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Operator {
    /// A function of one row.
    Scalar {
        function: Function,
        takes: Takes,
        gives: Gives,
    },
    /// `DATEDIFF(unit, a, b)`.
    DateDiff,
    /// `NOW()`.
    Now,
    /// `TODAY()` and the like.
    ClockPart(ClockPart),
    /// `PU_…`; quantiles take their fraction as an argument.
    PullUp(Option<Aggregation>),
    /// `COUNT` and the like; quantiles take their fraction as an argument.
    Aggregate(Option<Aggregation>),
    CountTable,
    DomainTable,
    Constant,
    Bind,
    /// `ACTIVITY_LEAD` (1) and `ACTIVITY_LAG` (-1).
    Neighbour(i64),
    /// `INDEX_ACTIVITY_…`; true for `_REVERSE`.
    Position(Counting, bool),
    Variant,
    Shortened,
    /// `SOURCE` (true) and `TARGET`.
    EdgeEnd(bool),
    /// `CALC_CROP_TO_NULL` (true) and `CALC_CROP`.
    Crop(bool),
    Role(Role),
    Conformance,
    Readable,
    BpmnConforms,
    /// With a grammar of its own, so that it never comes as a call.
    OwnGrammar,
    MatchActivities,
    CalcRework,
    CalcThroughput,
    RemapTimestamps,
    Kpi,
    /// `MOVING_…`, over the rows of a result.
    Moving(Aggregation),
    /// `INDEX_ORDER` and the like, over the rows of a table.
    Window(WindowKind),
    Global,
    FilterToNull,
    BindFilters,
    Lookup,
    ColumnType,
    ArgumentCount,
    /// `VARIABLE(x)`.
    PlainVariable,
    /// A function of one row that takes more than values.
    Rowwise(Rowwise),
}

/// Among which values an event is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counting {
    /// All of the case.
    All,
    /// Those that are equal.
    Equal,
    /// Those that are equal and stand in one run.
    Run,
}

/// Tables and columns that can be named by their role.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    ActivityTable,
    CaseTable,
    Activity,
    Case,
    Timestamp,
    EndTimestamp,
    Sorting,
}

/// Functions of one row whose arguments are not all values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rowwise {
    /// `REMAP_VALUES` and `REMAP_INTS`.
    Remap,
    MultiIn,
    UniqueId,
    PatIndex,
    ToDate,
    ConvertZone,
    DateMatch,
    WorkdaysBetween,
    AddWorkdays,
    InCalendar,
    /// `WEEKDAY_CALENDAR` and the like, which are arguments of others.
    Calendar,
    /// `FORMAT('…')`, an argument of others.
    Format,
}

/// What a scalar function takes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Takes {
    /// These, in this order.
    Exactly(&'static [Want]),
    /// One or more, all of one type.
    Alike,
    /// One, of any type.
    Anything,
}

/// What an argument must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Want {
    Text,
    Date,
    Int,
    /// INT or FLOAT.
    Number,
}

/// What a scalar function yields.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Gives {
    Always(Type),
    /// What the arguments are.
    Same,
}

/// The operators and their names.
pub(crate) const OPERATORS: &[(&str, Operator)] = &[
    ("ABS", scalar(Function::Abs, NUMBER, Gives::Same)),
    ("ACTIVATION_COUNT", Operator::Position(Counting::Equal, false)),
    ("ACTIVITY_COLUMN", Operator::Role(Role::Activity)),
    ("ACTIVITY_LAG", Operator::Neighbour(-1)),
    ("ACTIVITY_LEAD", Operator::Neighbour(1)),
    ("ACTIVITY_TABLE", Operator::Role(Role::ActivityTable)),
    ("ADD_DAYS", add(Unit::Days)),
    ("ADD_HOURS", add(Unit::Hours)),
    ("ADD_MILLIS", add(Unit::Millis)),
    ("ADD_MINUTES", add(Unit::Minutes)),
    ("ADD_MONTHS", add(Unit::Months)),
    ("ADD_SECONDS", add(Unit::Seconds)),
    ("ADD_WORKDAYS", Operator::Rowwise(Rowwise::AddWorkdays)),
    ("ADD_YEARS", add(Unit::Years)),
    ("ARGUMENT_COUNT", Operator::ArgumentCount),
    ("AVG", Operator::Aggregate(Some(Aggregation::Avg))),
    ("BIND", Operator::Bind),
    ("BIND_FILTERS", Operator::BindFilters),
    ("BPMN_CONFORMS", Operator::BpmnConforms),
    ("CALC_CROP", Operator::Crop(false)),
    ("CALC_CROP_TO_NULL", Operator::Crop(true)),
    ("CALC_REWORK", Operator::CalcRework),
    ("CALC_THROUGHPUT", Operator::CalcThroughput),
    ("CALENDAR_WEEK", part(DatePart::Week)),
    ("CASE_ID_COLUMN", Operator::Role(Role::Case)),
    ("CASE_TABLE", Operator::Role(Role::CaseTable)),
    ("CEIL", scalar(Function::Ceil, NUMBER, Gives::Always(Type::Int))),
    ("COALESCE", scalar(Function::Coalesce, Takes::Alike, Gives::Same)),
    ("COLUMN_TYPE", Operator::ColumnType),
    ("CONCAT", scalar(Function::Concat, Takes::Alike, Gives::Always(Type::String))),
    ("CONFORMANCE", Operator::Conformance),
    ("CONSTANT", Operator::Constant),
    ("CONVERT_TIMEZONE", Operator::Rowwise(Rowwise::ConvertZone)),
    ("COUNT", Operator::Aggregate(Some(Aggregation::Count))),
    ("COUNT_TABLE", Operator::CountTable),
    ("DATEDIFF", Operator::DateDiff),
    (
        "DATE_BETWEEN",
        scalar(Function::DateBetween, Takes::Exactly(&[Want::Date, Want::Date, Want::Date]), Gives::Always(Type::Int)),
    ),
    ("DATE_MATCH", Operator::Rowwise(Rowwise::DateMatch)),
    ("DAY", part(DatePart::Day)),
    ("DAYS_BETWEEN", between(Unit::Days)),
    ("DAYS_IN_MONTH", part(DatePart::DaysInMonth)),
    ("DAY_OF_WEEK", part(DatePart::DayOfWeek)),
    ("DOMAIN_TABLE", Operator::DomainTable),
    ("END_TIMESTAMP_COLUMN", Operator::Role(Role::EndTimestamp)),
    ("FACTORY_CALENDAR", Operator::Rowwise(Rowwise::Calendar)),
    ("FILTER_TO_NULL", Operator::FilterToNull),
    ("FIRST", Operator::Aggregate(Some(Aggregation::First))),
    ("FLOOR", scalar(Function::Floor, NUMBER, Gives::Always(Type::Int))),
    ("FORMAT", Operator::Rowwise(Rowwise::Format)),
    ("GLOBAL", Operator::Global),
    ("GREATEST", scalar(Function::Greatest, Takes::Alike, Gives::Same)),
    ("HOURS", part(DatePart::Hours)),
    ("HOURS_BETWEEN", between(Unit::Hours)),
    ("HOUR_NOW", Operator::ClockPart(ClockPart::Hour)),
    ("INDEX_ACTIVITY_LOOP", Operator::Position(Counting::Run, false)),
    ("INDEX_ACTIVITY_LOOP_REVERSE", Operator::Position(Counting::Run, true)),
    ("INDEX_ACTIVITY_ORDER", Operator::Position(Counting::All, false)),
    ("INDEX_ACTIVITY_ORDER_REVERSE", Operator::Position(Counting::All, true)),
    ("INDEX_ACTIVITY_TYPE", Operator::Position(Counting::Equal, false)),
    ("INDEX_ACTIVITY_TYPE_REVERSE", Operator::Position(Counting::Equal, true)),
    ("INDEX_ORDER", Operator::Window(WindowKind::Index)),
    ("INTERPOLATE", Operator::Window(WindowKind::FillConstant)),
    ("INTERSECT", Operator::Rowwise(Rowwise::Calendar)),
    ("IN_CALENDAR", Operator::Rowwise(Rowwise::InCalendar)),
    ("ISNULL", scalar(Function::IsNull, Takes::Anything, Gives::Always(Type::Int))),
    ("KPI", Operator::Kpi),
    ("LAG", Operator::Window(WindowKind::Neighbour(-1))),
    ("LAST", Operator::Aggregate(Some(Aggregation::Last))),
    ("LEAD", Operator::Window(WindowKind::Neighbour(1))),
    ("LEAST", scalar(Function::Least, Takes::Alike, Gives::Same)),
    ("LEFT", scalar(Function::Left, Takes::Exactly(&[Want::Text, Want::Int]), Gives::Always(Type::String))),
    ("LEN", scalar(Function::Len, TEXT, Gives::Always(Type::Int))),
    ("LOG", scalar(Function::Log, NUMBER, Gives::Always(Type::Float))),
    ("LOOKUP", Operator::Lookup),
    ("LOWER", scalar(Function::Lower, TEXT, Gives::Always(Type::String))),
    ("LTRIM", scalar(Function::TrimLeft, TEXT, Gives::Always(Type::String))),
    ("MATCH_ACTIVITIES", Operator::MatchActivities),
    ("MATCH_PROCESS", Operator::OwnGrammar),
    ("MATCH_PROCESS_REGEX", Operator::OwnGrammar),
    ("MAX", Operator::Aggregate(Some(Aggregation::Max))),
    ("MEDIAN", Operator::Aggregate(Some(Aggregation::Quantile(0.5)))),
    ("MILLIS", part(DatePart::Millis)),
    ("MILLIS_BETWEEN", between(Unit::Millis)),
    ("MIN", Operator::Aggregate(Some(Aggregation::Min))),
    ("MINUTES", part(DatePart::Minutes)),
    ("MINUTES_BETWEEN", between(Unit::Minutes)),
    ("MINUTE_NOW", Operator::ClockPart(ClockPart::Minute)),
    ("MODE", Operator::Aggregate(Some(Aggregation::Mode))),
    ("MONTH", part(DatePart::Month)),
    ("MONTHS_BETWEEN", between(Unit::Months)),
    ("MOVING_AVG", Operator::Moving(Aggregation::Avg)),
    ("MOVING_COUNT", Operator::Moving(Aggregation::Count)),
    ("MOVING_COUNT_DISTINCT", Operator::Moving(Aggregation::CountDistinct)),
    ("MOVING_MAX", Operator::Moving(Aggregation::Max)),
    ("MOVING_MEDIAN", Operator::Moving(Aggregation::Quantile(0.5))),
    ("MOVING_MIN", Operator::Moving(Aggregation::Min)),
    ("MOVING_STDEV", Operator::Moving(Aggregation::Stdev)),
    ("MOVING_SUM", Operator::Moving(Aggregation::Sum)),
    ("MOVING_TRIMMED_MEAN", Operator::Moving(Aggregation::TrimmedMean(TRIMMED, TRIMMED))),
    ("MOVING_VAR", Operator::Moving(Aggregation::Var)),
    ("MULTI_IN", Operator::Rowwise(Rowwise::MultiIn)),
    ("NOW", Operator::Now),
    ("PATINDEX", Operator::Rowwise(Rowwise::PatIndex)),
    ("POWER", scalar(Function::Power, Takes::Exactly(&[Want::Number, Want::Number]), Gives::Always(Type::Float))),
    ("PROCESS_ORDER", Operator::Position(Counting::All, false)),
    ("PRODUCT", Operator::Aggregate(Some(Aggregation::Product))),
    ("PU_AVG", Operator::PullUp(Some(Aggregation::Avg))),
    ("PU_COUNT", Operator::PullUp(Some(Aggregation::Count))),
    ("PU_COUNT_DISTINCT", Operator::PullUp(Some(Aggregation::CountDistinct))),
    ("PU_FIRST", Operator::PullUp(Some(Aggregation::First))),
    ("PU_LAST", Operator::PullUp(Some(Aggregation::Last))),
    ("PU_MAX", Operator::PullUp(Some(Aggregation::Max))),
    ("PU_MEDIAN", Operator::PullUp(Some(Aggregation::Quantile(0.5)))),
    ("PU_MIN", Operator::PullUp(Some(Aggregation::Min))),
    ("PU_MODE", Operator::PullUp(Some(Aggregation::Mode))),
    ("PU_PRODUCT", Operator::PullUp(Some(Aggregation::Product))),
    ("PU_QUANTILE", Operator::PullUp(None)),
    ("PU_QUANTILE_LINEAR", Operator::PullUp(Some(Aggregation::QuantileLinear(0.5)))),
    ("PU_STDEV", Operator::PullUp(Some(Aggregation::Stdev))),
    ("PU_STRING_AGG", Operator::PullUp(Some(Aggregation::StringAgg))),
    ("PU_SUM", Operator::PullUp(Some(Aggregation::Sum))),
    ("PU_TRIMMED_MEAN", Operator::PullUp(Some(Aggregation::TrimmedMean(TRIMMED, TRIMMED)))),
    ("QUANTILE", Operator::Aggregate(None)),
    ("QUANTILE_LINEAR", Operator::Aggregate(Some(Aggregation::QuantileLinear(0.5)))),
    ("QUARTER", part(DatePart::Quarter)),
    ("READABLE", Operator::Readable),
    ("REMAP_INTS", Operator::Rowwise(Rowwise::Remap)),
    ("REMAP_TIMESTAMPS", Operator::RemapTimestamps),
    ("REMAP_VALUES", Operator::Rowwise(Rowwise::Remap)),
    (
        "REPLACE",
        scalar(Function::Replace, Takes::Exactly(&[Want::Text, Want::Text, Want::Text]), Gives::Always(Type::String)),
    ),
    ("RIGHT", scalar(Function::Right, Takes::Exactly(&[Want::Text, Want::Int]), Gives::Always(Type::String))),
    ("ROUND", scalar(Function::Round, NUMBER, Gives::Always(Type::Int))),
    ("ROUND_DAY", round_time(DatePart::Day)),
    ("ROUND_HOUR", round_time(DatePart::Hours)),
    ("ROUND_MINUTE", round_time(DatePart::Minutes)),
    ("ROUND_MONTH", round_time(DatePart::Month)),
    ("ROUND_QUARTER", round_time(DatePart::Quarter)),
    ("ROUND_SECOND", round_time(DatePart::Seconds)),
    ("ROUND_WEEK", round_time(DatePart::Week)),
    ("ROUND_YEAR", round_time(DatePart::Year)),
    ("RTRIM", scalar(Function::TrimRight, TEXT, Gives::Always(Type::String))),
    ("RUNNING_SUM", Operator::Window(WindowKind::RunningSum)),
    ("RUNNING_TOTAL", Operator::Window(WindowKind::RunningSum)),
    ("SECONDS", part(DatePart::Seconds)),
    ("SECONDS_BETWEEN", between(Unit::Seconds)),
    ("SHORTENED", Operator::Shortened),
    ("SORTING_COLUMN", Operator::Role(Role::Sorting)),
    ("SOURCE", Operator::EdgeEnd(true)),
    ("SQRT", scalar(Function::Sqrt, NUMBER, Gives::Always(Type::Float))),
    ("STDEV", Operator::Aggregate(Some(Aggregation::Stdev))),
    ("STRING_AGG", Operator::Aggregate(Some(Aggregation::StringAgg))),
    (
        "STRING_SPLIT",
        scalar(Function::Split, Takes::Exactly(&[Want::Text, Want::Text, Want::Int]), Gives::Always(Type::String)),
    ),
    (
        "SUBSTRING",
        scalar(Function::Substring, Takes::Exactly(&[Want::Text, Want::Int, Want::Int]), Gives::Always(Type::String)),
    ),
    ("SUM", Operator::Aggregate(Some(Aggregation::Sum))),
    ("TARGET", Operator::EdgeEnd(false)),
    ("TIMESTAMP_COLUMN", Operator::Role(Role::Timestamp)),
    ("TODAY", Operator::ClockPart(ClockPart::Today)),
    ("TO_DATE", Operator::Rowwise(Rowwise::ToDate)),
    ("TO_FLOAT", scalar(Function::ToFloat, Takes::Anything, Gives::Always(Type::Float))),
    ("TO_INT", scalar(Function::ToInt, Takes::Anything, Gives::Always(Type::Int))),
    ("TO_STRING", scalar(Function::ToText, Takes::Anything, Gives::Always(Type::String))),
    ("TRIMMED_MEAN", Operator::Aggregate(Some(Aggregation::TrimmedMean(TRIMMED, TRIMMED)))),
    ("UNIQUE_ID", Operator::Rowwise(Rowwise::UniqueId)),
    ("UPPER", scalar(Function::Upper, TEXT, Gives::Always(Type::String))),
    ("VAR", Operator::Aggregate(Some(Aggregation::Var))),
    ("VARIABLE", Operator::PlainVariable),
    ("VARIANT", Operator::Variant),
    ("WEEKDAY_CALENDAR", Operator::Rowwise(Rowwise::Calendar)),
    ("WINDOW_AVG", Operator::Window(WindowKind::Average(0, 0))),
    ("WORKDAYS_BETWEEN", Operator::Rowwise(Rowwise::WorkdaysBetween)),
    ("WORKDAY_CALENDAR", Operator::Rowwise(Rowwise::Calendar)),
    ("YEAR", part(DatePart::Year)),
    ("YEARS_BETWEEN", between(Unit::Years)),
    ("ZSCORE", Operator::Window(WindowKind::ZScore)),
];

/// How many percent TRIMMED_MEAN leaves out on either side.
const TRIMMED: f64 = 5.0;

const NUMBER: Takes = Takes::Exactly(&[Want::Number]);
const DATE: Takes = Takes::Exactly(&[Want::Date]);
const TEXT: Takes = Takes::Exactly(&[Want::Text]);

const fn scalar(function: Function, takes: Takes, gives: Gives) -> Operator {
    Operator::Scalar { function, takes, gives }
}

const fn between(unit: Unit) -> Operator {
    scalar(Function::Between(unit), Takes::Exactly(&[Want::Date, Want::Date]), Gives::Always(Type::Float))
}

const fn add(unit: Unit) -> Operator {
    scalar(Function::AddTime(unit), Takes::Exactly(&[Want::Date, Want::Number]), Gives::Always(Type::Date))
}

const fn part(part: DatePart) -> Operator {
    scalar(Function::Part(part), DATE, Gives::Always(Type::Int))
}

const fn round_time(part: DatePart) -> Operator {
    scalar(Function::RoundTime(part), DATE, Gives::Always(Type::Date))
}

/// Finds an operator by its name in upper case.
pub(crate) fn operator(name: &str) -> Option<Operator> {
    OPERATORS.iter().find(|(known, _)| *known == name).map(|(_, operator)| *operator)
}

/// Reads the unit of DATEDIFF and REMAP_TIMESTAMPS.
pub(crate) fn unit(word: &str) -> Option<Unit> {
    Some(match word.to_ascii_uppercase().as_str() {
        "MS" | "MILLISECONDS" => Unit::Millis,
        "SS" | "SECONDS" => Unit::Seconds,
        "MI" | "MINUTES" => Unit::Minutes,
        "HH" | "HOURS" => Unit::Hours,
        "DD" | "DAYS" => Unit::Days,
        "MM" => Unit::Months,
        "YY" => Unit::Years,
        _ => return None,
    })
}

/// Reads the word before a bracket of MATCH_ACTIVITIES.
pub(crate) fn occurrence(word: &str) -> Option<Occurrence> {
    Some(match word {
        "STARTING" => Occurrence::Starting,
        "NODE" => Occurrence::Node,
        "NODE_ANY" => Occurrence::NodeAny,
        "ENDING" => Occurrence::Ending,
        "EXCLUDING" => Occurrence::Excluding,
        "EXCLUDING_ALL" => Occurrence::ExcludingAll,
        _ => return None,
    })
}

/// Returns the known word that is most like the one given, if any is like it.
pub(crate) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_uppercase();
    let measured = known.into_iter().map(|candidate| (distance(&word, &candidate.to_uppercase()), candidate));
    let nearest = measured.min_by_key(|(distance, _)| *distance);
    // Two letters that changed places count twice, and are the commonest slip.
    let letters = word.chars().count();
    let most = if letters < 4 { 1 } else { (letters / 3).max(2) };
    nearest.filter(|(distance, _)| *distance <= most).map(|(_, candidate)| candidate)
}

/// Says `; did you mean "…"?`, or nothing.
pub(crate) fn hint<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    nearest(word, known).map_or_else(String::new, |nearest| format!("; did you mean \"{nearest}\"?"))
}

/// Counts the letters to insert, drop or change.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (line, letter) in one.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = line + 1;
        for (place, candidate) in other.iter().enumerate() {
            let changed = diagonal + usize::from(letter != *candidate);
            diagonal = row[place + 1];
            row[place + 1] = changed.min(diagonal + 1).min(row[place] + 1);
        }
    }
    row[other.len()]
}
