//! What is computed with a working calendar, and where the calendar stands.

use std::sync::Arc;

use jiff::tz::TimeZone;

use super::{Grain, Node, Unit};
use crate::calendar::Calendar;

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
