//! A text that was checked: names are places, every expression has a type and
//! a table it stands on.
//!
//! *Grain* is the word for what an expression has one value per: row of a
//! table, distinct combination of a DOMAIN_TABLE, group of a result, or just
//! one. Values are pulled from the 1-side to the N-side where they meet.

use std::sync::Arc;

use jiff::tz::TimeZone;

use super::catalog::{Catalog, Path};
use super::net::Net;
use super::operators::Counting;
use super::regex::Regex;
use super::syntax::{Comparison, Span};
use crate::calendar::Calendar;
use crate::value::{Type, Value};

/// What an expression has one value per.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Grain {
    /// One value in all.
    Constant,
    /// Row of the table at this place of the catalog.
    Table(usize),
    /// Combination of the DOMAIN_TABLE at this place of the program.
    Domain(usize),
    /// Group of the result.
    Group,
    /// Pair of events of a case, as SOURCE and TARGET make them.
    Edges,
}

/// What an expression yields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Yield {
    /// True, false or unknown; only conditions do.
    Truth,
    /// Values of a type.
    Of(Type),
    /// Nothing but NULL, which fits everywhere.
    Nothing,
}

/// A checked expression.
#[derive(Clone, Debug)]
pub struct Node {
    /// Unique in its program, so that results can be kept.
    pub id: u32,
    /// What it computes.
    pub op: Op,
    /// What it yields.
    pub yields: Yield,
    /// What it has one value per.
    pub grain: Grain,
    /// Where it stands in the text.
    pub span: Span,
}

/// What a node computes.
#[derive(Clone, Debug)]
pub enum Op {
    /// The values of a column.
    Column {
        /// Place in the catalog.
        table: usize,
        /// Place in the table.
        column: usize,
    },
    /// A value from the text.
    Constant(Value),
    /// The instant of the evaluation.
    Now,
    /// The day, hour or minute of the evaluation.
    ClockPart(ClockPart),
    /// The same on the walls of a time zone.
    ZonedClock(ClockPart, TimeZone),
    /// A function of the values of one row and a working calendar.
    Worked(Box<Worked>),
    /// A function of the values of one row.
    Apply(Function, Vec<Node>),
    /// Two values compared.
    Compare(Comparison, Box<Node>, Box<Node>),
    /// Both hold.
    And(Box<Node>, Box<Node>),
    /// At least one holds.
    Or(Box<Node>, Box<Node>),
    /// It does not hold.
    Not(Box<Node>),
    /// There is no value.
    IsNull(Box<Node>),
    /// One of several constants.
    In(Box<Node>, Vec<Value>),
    /// A text fits a pattern.
    Like(Box<Node>, Box<Node>),
    /// The value of the first branch whose condition holds; NULL as soon as a
    /// condition cannot be decided.
    Case(Vec<(Node, Node)>, Option<Box<Node>>),
    /// A column brought to another table.
    Bind(Box<Node>),
    /// Values of the N-side, aggregated per row of the grain.
    PullUp(Box<PullUp>),
    /// An operator over the events of a case.
    Process(Box<Process>),
    /// A value that depends on the rows around, in an order.
    Window(Box<Window>),
    /// A value of a table that is not joined, found by equal keys.
    Lookup(Box<Lookup>),
    /// Values of rows that the FILTERs of the query keep, NULL for the others.
    FilterToNull(Box<Node>, Vec<(Node, Way)>),
    /// Conditions brought to the grain one by one, all of which hold.
    BindFilters(Vec<(Node, Way)>),
    /// An aggregate of its own over all that the FILTERs of the query keep.
    Global(Box<Global>),
    /// The moving aggregate at this place of the query.
    Moving(usize),
    /// The aggregate at this place of the query.
    Aggregate(usize),
    /// The group key at this place of the query.
    Dimension(usize),
}

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
    /// Returns how long it is.
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

/// A function of dates and a working calendar.
#[derive(Clone, Debug)]
pub struct Worked {
    /// What is computed.
    pub work: Work,
    /// Of which values.
    pub arguments: Vec<Node>,
    /// Which of several calendars a row goes by.
    pub ident: Option<Node>,
    /// The calendar.
    pub calendar: CalendarPlan,
}

/// What is computed with a working calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// Working time between two dates in a unit.
    Between(Unit),
    /// A date moved by working time.
    Add(Unit),
    /// Whole units of working time since 1970.
    Remap(Unit),
    /// Working days between two dates.
    WorkdaysBetween,
    /// A date moved by working days.
    AddWorkdays,
    /// Whether a date is working time, 1 or 0.
    IsIn,
}

/// Where a working calendar comes from.
#[derive(Clone, Debug)]
pub enum CalendarPlan {
    /// It stands in the text.
    Known(Arc<Calendar>),
    /// It stands in a table of shifts, intervals, or months of days.
    Table(Box<CalendarTable>),
    /// What both have in common.
    Intersect(Box<CalendarPlan>, Box<CalendarPlan>),
}

/// A table that describes working calendars.
#[derive(Clone, Debug)]
pub struct CalendarTable {
    /// Names the calendar that a row belongs to.
    pub ident: Option<Node>,
    /// What a row says.
    pub rows: CalendarRows,
    /// Which rows count.
    pub filter: Option<Node>,
    /// The only calendar that counts.
    pub only: Option<Arc<str>>,
    /// Where its times are read from the wall.
    pub zone: TimeZone,
    /// The table.
    pub grain: Grain,
}

/// What the rows of a calendar's table say.
#[derive(Clone, Debug)]
pub enum CalendarRows {
    /// Weekday, begin and end of a shift.
    Shifts(Box<[Node; 3]>),
    /// Begin and end of an interval.
    Intervals(Box<[Node; 2]>),
    /// The year, and the days of its twelve months as digits.
    Days(Node, Vec<Node>),
}

impl CalendarPlan {
    /// Tells whether its days are those of UTC.
    pub fn is_in_utc(&self) -> bool {
        match self {
            CalendarPlan::Known(calendar) => *calendar.zone() == TimeZone::UTC,
            CalendarPlan::Table(table) => table.zone == TimeZone::UTC,
            CalendarPlan::Intersect(one, other) => one.is_in_utc() && other.is_in_utc(),
        }
    }

    /// Tells whether it depends on rows of a table.
    pub fn reads_table(&self) -> bool {
        match self {
            CalendarPlan::Known(_) => false,
            CalendarPlan::Table(_) => true,
            CalendarPlan::Intersect(one, other) => one.reads_table() || other.reads_table(),
        }
    }
}

/// How values are aggregated.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Aggregation {
    /// How many there are.
    Count,
    /// How many different ones there are.
    CountDistinct,
    /// Their sum.
    Sum,
    /// Their mean.
    Avg,
    /// The smallest.
    Min,
    /// The largest.
    Max,
    /// The first in an order.
    First,
    /// The last in an order.
    Last,
    /// The element at floor(q * n) of the sorted values, at most the last.
    Quantile(f64),
    /// The point at q * (n - 1) of the sorted values, between two of them if
    /// need be.
    QuantileLinear(f64),
    /// The standard deviation of a sample; 0 for a single value.
    Stdev,
    /// The variance of a sample; 0 for a single value.
    Var,
    /// The most frequent, the smallest of those.
    Mode,
    /// Their product.
    Product,
    /// The mean without so many percent of the smallest and of the largest.
    TrimmedMean(f64, f64),
    /// The texts one after another in an order, with a delimiter between.
    StringAgg,
}

impl Aggregation {
    /// Tells whether the order of the values has a part in what comes out.
    pub fn is_ordered(self) -> bool {
        matches!(self, Aggregation::First | Aggregation::Last | Aggregation::StringAgg)
    }

    /// Returns the type of what comes out of values of a type.
    pub fn result(self, own: Type) -> Type {
        match self {
            Aggregation::Count | Aggregation::CountDistinct => Type::Int,
            Aggregation::Avg | Aggregation::Stdev | Aggregation::Var | Aggregation::TrimmedMean(..) => Type::Float,
            Aggregation::QuantileLinear(_) if own == Type::Int => Type::Float,
            _ => own,
        }
    }
}

/// Values of the N-side on their way up.
#[derive(Clone, Debug)]
pub struct PullUp {
    /// How they are aggregated.
    pub aggregation: Aggregation,
    /// What is aggregated.
    pub value: Node,
    /// Which rows count.
    pub filter: Option<Node>,
    /// For FIRST, LAST and STRING_AGG; empty for the order of events or of
    /// arrival.
    pub order: Vec<(Node, bool)>,
    /// What STRING_AGG puts between two texts.
    pub delimiter: Arc<str>,
    /// The common table of value, filter and order.
    pub from: Grain,
}

/// A value that depends on the rows around.
#[derive(Clone, Debug)]
pub struct Window {
    /// What is computed.
    pub kind: WindowKind,
    /// Of what.
    pub value: Node,
    /// The order of the rows; empty for the order of events or of arrival.
    pub order: Vec<(Node, bool)>,
    /// Only rows with the same values here see each other.
    pub partition: Vec<Node>,
}

/// What is computed of the rows around.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum WindowKind {
    /// The 1-based position among the rows that have a value.
    Index,
    /// The k-th next (or previous, below 0) value.
    Neighbour(i64),
    /// The sum of the values up to the row.
    RunningSum,
    /// The mean of the values between two offsets, both inclusive.
    Average(i64, i64),
    /// By how many standard deviations a value is above the mean.
    ZScore,
    /// What is missing becomes the value before.
    FillConstant,
    /// What is missing becomes a point of the line between its neighbours.
    FillLinear,
}

/// A value of a table that is not joined.
#[derive(Clone, Debug)]
pub struct Lookup {
    /// The value that is fetched.
    pub value: Node,
    /// Pairs of keys that have to be equal, each on the node's grain and on
    /// the value's.
    pub keys: Vec<(Node, Node)>,
}

/// An aggregate of its own.
#[derive(Clone, Debug)]
pub struct Global {
    /// The common table of its aggregates.
    pub grain: Grain,
    /// The FILTERs of the query, on that table.
    pub conditions: Vec<(Node, Way)>,
    /// What all rows are reduced to.
    pub aggregates: Vec<Aggregate>,
    /// What is made of the aggregates, on one group.
    pub value: Node,
}

/// An aggregate over the rows of a result that stand around a row.
#[derive(Clone, Debug)]
pub struct Moving {
    /// How the values are aggregated.
    pub aggregation: Aggregation,
    /// What is aggregated.
    pub value: Node,
    /// The first row, counted from the own one.
    pub start: i64,
    /// The last row, counted from the own one.
    pub end: i64,
}

/// Operators over the events of a case.
#[derive(Clone, Debug)]
pub enum Process {
    /// The k-th next (or previous, below 0) value of the case.
    Neighbour {
        /// The values.
        value: Node,
        /// How far.
        by: i64,
    },
    /// 1-based position among values of the case.
    Position {
        /// The values.
        value: Node,
        /// Among which of them.
        counting: Counting,
        /// Counted from the end.
        reverse: bool,
    },
    /// The values in order, with commas between.
    Variant {
        /// The values.
        value: Node,
        /// Longer runs of one value are cut to this.
        run_max: Option<u32>,
    },
    /// Which values occur at all, as 1 or 0.
    Match {
        /// The values.
        value: Node,
        /// What is asked for.
        conditions: Vec<(Occurrence, Vec<String>)>,
    },
    /// Whether the values in order contain a pattern.
    Pattern {
        /// The values.
        value: Node,
        /// What is looked for.
        pattern: Regex,
        /// Whether it must not be there.
        negated: bool,
    },
    /// How many events there are that satisfy a condition and have a value.
    Rework {
        /// The condition.
        filter: Option<Node>,
        /// The value.
        value: Option<Node>,
    },
    /// The values between two boundaries, or 1 for each of them.
    Crop {
        /// The earlier boundary.
        from: Boundary,
        /// The later one.
        to: Boundary,
        /// The values.
        value: Node,
        /// Whether the values stay, rather than 1.
        keeps_values: bool,
    },
    /// Where the events of a case deviate from a model.
    Conformance {
        /// The activities.
        value: Node,
        /// The model.
        net: Net,
        /// Whether it is said in words.
        readable: bool,
    },
    /// Whether a whole case is as a model says, as 1 or 0.
    Conforms {
        /// The activities.
        value: Node,
        /// The model.
        net: Net,
    },
    /// The values of the earlier or later events of pairs.
    EdgeEnd {
        /// The values.
        value: Node,
        /// Events without a value here are left out of the pairs; the same as
        /// in the program's [`Edges`].
        filter: Option<Node>,
        /// Whether it is the earlier event.
        is_source: bool,
        /// Stands for the event that is missing in a first or last pair.
        filler: Value,
    },
    /// Units of time between two boundaries.
    Throughput {
        /// The earlier boundary.
        from: Boundary,
        /// The later one.
        to: Boundary,
        /// Whole units since 1970.
        time: Node,
        /// The activities.
        value: Node,
    },
}

/// A condition of MATCH_ACTIVITIES.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Occurrence {
    /// The first is one of them.
    Starting,
    /// All of them occur.
    Node,
    /// One of them occurs.
    NodeAny,
    /// The last is one of them.
    Ending,
    /// None of them occurs.
    Excluding,
    /// Not all of them occur.
    ExcludingAll,
}

/// A boundary of CALC_THROUGHPUT.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Boundary {
    /// The first event.
    CaseStart,
    /// The last event.
    CaseEnd,
    /// The first event of an activity.
    First(String),
    /// The last event of an activity.
    Last(String),
}

/// Which pairs of events SOURCE and TARGET make of a case.
#[derive(Clone, Debug)]
pub struct Edges {
    /// Who is paired with whom.
    pub pairing: Pairing,
    /// Events without a value here are left out.
    pub filter: Option<Node>,
    /// The same as it was written.
    pub filter_text: Option<String>,
    /// A first pair leads from nowhere to the first event.
    pub with_start: bool,
    /// A last pair leads from the last event to nowhere.
    pub with_end: bool,
    /// The call that was read first, for messages.
    pub text: String,
}

/// Who is paired with whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pairing {
    /// Each event with the next one.
    Neighbours,
    /// The first event with each later one.
    FirstToAny,
    /// The first event with each one, itself included.
    FirstToAnyWithSelf,
    /// Each earlier event with the last one.
    AnyToLast,
    /// The first event with the last one.
    FirstToLast,
}

/// A DOMAIN_TABLE.
#[derive(Clone, Debug)]
pub struct Domain {
    /// Whose combinations it holds: rows of a table, or pairs of events.
    pub source: Grain,
    /// The columns, each on `source` or on its 1-side.
    pub keys: Vec<Node>,
    /// As written, so that two equal ones are one.
    pub text: String,
}

/// What all nodes of one check share.
#[derive(Clone, Debug)]
pub struct Program {
    /// Against which it was checked.
    pub catalog: Arc<Catalog>,
    /// Its DOMAIN_TABLEs.
    pub domains: Vec<Domain>,
    /// The pairs of SOURCE and TARGET.
    pub edges: Option<Edges>,
}

impl Program {
    /// Tells whether values of `to` can be brought to `from`: whether `from`
    /// is the same, or on the N-side of it.
    pub fn reaches(&self, from: Grain, to: Grain) -> bool {
        match (from, to) {
            (Grain::Edges, Grain::Edges) => true,
            (Grain::Table(_) | Grain::Edges, Grain::Domain(domain)) => self.reaches(from, self.domains[domain].source),
            // A pair belongs to a case, so it sees what the case sees.
            (Grain::Edges, to) => self.reaches(Grain::Table(self.catalog.roles.case_table), to),
            (_, Grain::Constant) => true,
            (Grain::Table(from), Grain::Table(to)) => matches!(self.catalog.path(from, to), Path::Over(_)),
            (from, to) => from == to,
        }
    }

    /// Tells whether each row of the grain belongs to one case, so that the
    /// rows of a case are all that its values depend on.
    pub fn is_in_case(&self, grain: Grain) -> bool {
        grain == Grain::Edges
            || matches!(grain, Grain::Table(table) if self.reaches(grain, Grain::Table(self.catalog.roles.case_table))
            && matches!(self.catalog.path(table, self.catalog.roles.case_table), Path::Over(_)))
    }

    /// Returns the name of a grain for messages.
    pub fn name(&self, grain: Grain) -> String {
        match grain {
            Grain::Constant => "a constant".to_owned(),
            Grain::Table(table) => format!("table \"{}\"", self.catalog.tables[table].name),
            Grain::Domain(domain) => self.domains[domain].text.clone(),
            Grain::Group => "a group".to_owned(),
            Grain::Edges => "the pairs of SOURCE and TARGET".to_owned(),
        }
    }
}

/// An aggregate over the rows of a result.
#[derive(Clone, Debug)]
pub enum Aggregate {
    /// Values of an expression.
    Of(Reduction),
    /// Different rows of a table.
    Rows(usize),
}

/// What is aggregated, and how.
#[derive(Clone, Debug)]
pub struct Reduction {
    /// How.
    pub aggregation: Aggregation,
    /// What.
    pub value: Node,
    /// For FIRST, LAST and STRING_AGG; empty for the order of events or of
    /// arrival.
    pub order: Vec<(Node, bool)>,
    /// What STRING_AGG puts between two texts.
    pub delimiter: Arc<str>,
}

/// Conditions brought to one table.
#[derive(Clone, Debug)]
pub struct Selection {
    /// The table.
    pub target: Grain,
    /// The conditions, each with its way.
    pub conditions: Vec<(Node, Way)>,
}

/// How a condition comes to the rows that it selects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// It stands there, or on the 1-side: a row stays if its partner does.
    Down,
    /// It stands on the N-side: a row stays if at least one of its rows does.
    Up,
    /// Up to this table, and down from there.
    Over(usize),
}

/// A checked query.
#[derive(Clone, Debug)]
pub struct QueryPlan {
    /// Shared by all its nodes.
    pub program: Program,
    /// The common table.
    pub grain: Grain,
    /// Its FILTERs, on the common table.
    pub selection: Selection,
    /// Whether equal rows are shown once.
    pub distinct: bool,
    /// Name and value of each column. In a grouped query they stand on groups.
    pub columns: Vec<(String, Node)>,
    /// Order, largest first if true.
    pub order: Vec<(Node, bool)>,
    /// At most so many rows.
    pub limit: Option<u64>,
    /// After so many rows.
    pub offset: u64,
    /// Group keys, on the common table; `None` for a query without aggregates.
    pub groups: Option<Vec<Node>>,
    /// What the groups are reduced to.
    pub aggregates: Vec<Aggregate>,
    /// What is aggregated over the rows of the result, in their order.
    pub moving: Vec<Moving>,
}

impl Node {
    /// Calls `visit` with the node and with each node below it, aggregates'
    /// own excepted.
    pub fn walk<'a>(&'a self, visit: &mut impl FnMut(&'a Node)) {
        visit(self);
        self.each_child(|child| child.walk(visit));
    }

    /// Calls `visit` with each node right below.
    pub fn each_child<'a>(&'a self, mut visit: impl FnMut(&'a Node)) {
        match &self.op {
            Op::Column { .. }
            | Op::Constant(_)
            | Op::Now
            | Op::ClockPart(_)
            | Op::ZonedClock(..)
            | Op::Aggregate(_)
            | Op::Dimension(_)
            | Op::Moving(_)
            | Op::Global(_) => {}
            Op::Window(window) => {
                visit(&window.value);
                window.order.iter().for_each(|(key, _)| visit(key));
                window.partition.iter().for_each(visit);
            }
            Op::Lookup(lookup) => {
                visit(&lookup.value);
                for (own, other) in &lookup.keys {
                    visit(own);
                    visit(other);
                }
            }
            Op::FilterToNull(value, conditions) => {
                visit(value);
                for (condition, _) in conditions {
                    visit(condition);
                }
            }
            Op::BindFilters(conditions) => {
                for (condition, _) in conditions {
                    visit(condition);
                }
            }
            Op::Apply(_, arguments) => arguments.iter().for_each(visit),
            Op::Worked(worked) => worked.arguments.iter().chain(&worked.ident).for_each(visit),
            Op::Compare(_, left, right) | Op::And(left, right) | Op::Or(left, right) | Op::Like(left, right) => {
                visit(left);
                visit(right);
            }
            Op::Not(value) | Op::IsNull(value) | Op::In(value, _) | Op::Bind(value) => visit(value),
            Op::Case(branches, otherwise) => {
                for (condition, value) in branches {
                    visit(condition);
                    visit(value);
                }
                if let Some(otherwise) = otherwise {
                    visit(otherwise);
                }
            }
            Op::PullUp(pull_up) => {
                visit(&pull_up.value);
                pull_up.filter.iter().for_each(&mut visit);
                pull_up.order.iter().for_each(|(key, _)| visit(key));
            }
            Op::Process(process) => match &**process {
                Process::Neighbour { value, .. }
                | Process::Position { value, .. }
                | Process::Variant { value, .. }
                | Process::Pattern { value, .. }
                | Process::Crop { value, .. }
                | Process::Conformance { value, .. }
                | Process::Conforms { value, .. }
                | Process::Match { value, .. } => visit(value),
                Process::Rework { filter, value } => [filter, value].into_iter().flatten().for_each(visit),
                Process::EdgeEnd { value, filter, .. } => {
                    visit(value);
                    filter.iter().for_each(visit);
                }
                Process::Throughput { time, value, .. } => {
                    visit(time);
                    visit(value);
                }
            },
        }
    }

    /// Tells whether the node itself, not those below, depends on the order
    /// of rows of any case, so that every change may change every value.
    pub fn is_window(&self) -> bool {
        matches!(self.op, Op::Window(_))
    }

    /// Tells whether the node itself, not those below, is a value that rows
    /// of other cases have a part in.
    pub fn is_shared(&self, program: &Program) -> bool {
        match &self.op {
            Op::PullUp(_) => !program.is_in_case(self.grain),
            Op::Window(_) | Op::Lookup(_) => true,
            Op::BindFilters(conditions) => {
                let in_case = |condition: &Node| program.is_in_case(condition.grain);
                !program.is_in_case(self.grain)
                    || conditions.iter().any(|(condition, way)| match way {
                        Way::Down => false,
                        Way::Up => !in_case(condition),
                        Way::Over(table) => !in_case(condition) || !program.is_in_case(Grain::Table(*table)),
                    })
            }
            _ => false,
        }
    }

    /// Tells whether the node itself, not those below, reads the clock.
    pub fn reads_clock(&self) -> bool {
        matches!(self.op, Op::Now | Op::ClockPart(_) | Op::ZonedClock(..))
    }

    /// Tells whether the node itself goes by a calendar that stands in a
    /// table, whose rows belong to no case.
    pub fn reads_calendar(&self) -> bool {
        matches!(&self.op, Op::Worked(worked) if worked.calendar.reads_table())
    }

    /// Tells whether the clock has a part in the value.
    pub fn is_clocked(&self) -> bool {
        let mut clocked = false;
        self.walk(&mut |node| clocked |= node.reads_clock());
        clocked
    }
}
