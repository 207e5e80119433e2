//! Functions of dates and working calendars.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::evaluator::InScope;
use super::given::Group;
use super::operand::Operand;
use super::vector::Vector;
use crate::calendar::{Calendar, days_since_1970, years};
use crate::pql::parse::WEEKDAYS;
use crate::pql::plan::{CalendarPlan, CalendarRows, CalendarTable, Node, Unit, Work, Worked};
use crate::value::Value;

const MINUTE: i64 = 60_000;
const DAY: i64 = 24 * 60 * MINUTE;

/// The calendars that a function may go by.
#[derive(Debug, Default)]
pub(crate) struct Calendars {
    /// The one for rows that name none.
    only: Option<Arc<Calendar>>,
    by_ident: HashMap<Arc<str>, Arc<Calendar>>,
}

impl Calendars {
    /// Makes the calendars that a plan describes, from all rows of its tables.
    pub(crate) fn new(scope: &InScope<'_>, plan: &CalendarPlan) -> Self {
        match plan {
            CalendarPlan::Known(calendar) => Calendars { only: Some(calendar.clone()), by_ident: HashMap::new() },
            CalendarPlan::Table(table) => from_table(scope, table),
            CalendarPlan::Intersect(one, other) => {
                let (one, other) = (Calendars::new(scope, one), Calendars::new(scope, other));
                let both = |ident: Option<&str>| {
                    let (one, other) = (one.get(ident)?, other.get(ident)?);
                    Some(Arc::new(one.intersect(other)))
                };
                let idents = one.by_ident.keys().chain(other.by_ident.keys());
                let by_ident = idents.filter_map(|ident| Some((ident.clone(), both(Some(ident))?))).collect();
                Calendars { only: both(None), by_ident }
            }
        }
    }

    /// Returns the calendar of an ident, or the only one.
    pub(crate) fn get(&self, ident: Option<&str>) -> Option<&Arc<Calendar>> {
        match ident {
            Some(ident) if !self.by_ident.is_empty() => self.by_ident.get(ident),
            _ => self.only.as_ref(),
        }
    }

    /// Names the calendar of an ident, the same on every root.
    pub(crate) fn group(ident: Option<&str>) -> Group {
        let ident: Option<Value> = ident.map(|ident| Value::Text(ident.into()));
        Group::key(ident.as_slice())
    }

    /// Lists the calendars that are other ones than before; `None` if that may
    /// be so for whatever name somebody goes by.
    pub(crate) fn changed_since(&self, before: &Calendars) -> Option<Vec<Group>> {
        let of_unknown = |calendars: &Calendars| calendars.only.clone().filter(|_| calendars.by_ident.is_empty());
        if of_unknown(self) != of_unknown(before) {
            return None;
        }
        let names: BTreeSet<&Arc<str>> = self.by_ident.keys().chain(before.by_ident.keys()).collect();
        let names = names.into_iter().map(|name| Some(&**name)).chain([None]);
        Some(names.filter(|name| self.get(*name) != before.get(*name)).map(Calendars::group).collect())
    }

    /// Returns the calendar of a row; nothing if its ident is missing.
    pub(super) fn of_row(&self, ident: Option<&Operand>, row: usize) -> Option<&Calendar> {
        let calendar = match ident {
            Some(ident) => self.get(Some(ident.text(row)?)),
            None => self.get(None),
        };
        calendar.map(|calendar| &**calendar)
    }
}

/// Makes a calendar of some rows of a table.
type Make<'a> = dyn Fn(&[usize]) -> Calendar + 'a;

fn from_table(scope: &InScope<'_>, table: &CalendarTable) -> Calendars {
    let operand = |node: &Node| scope.operand(node, table.grain);
    let ident = table.ident.as_ref().map(operand);
    let filter = table.filter.as_ref().map(operand);
    let mut rows: BTreeMap<Option<Arc<str>>, Vec<usize>> = BTreeMap::new();
    for row in 0..scope.length(table.grain) {
        if filter.as_ref().is_some_and(|filter| filter.truth(row) != Some(true)) {
            continue;
        }
        // Whatever its type, an ident is compared as text.
        let name = ident.as_ref().map(|ident| ident.value(row)).filter(|name| *name != Value::Null);
        let name: Option<Arc<str>> = name.map(|name| name.to_string().into());
        if table.only.is_none() || table.only == name {
            rows.entry(name).or_default().push(row);
        }
    }
    let make: Box<Make<'_>> = match &table.rows {
        CalendarRows::Shifts(columns) => {
            let [day, begin, end] = columns.each_ref().map(operand);
            Box::new(move |rows| {
                let shift = |row: &usize| {
                    let name = day.value(*row).to_string();
                    let day = WEEKDAYS.iter().position(|day| day.eq_ignore_ascii_case(name.trim()))?;
                    Some((day, time_of_day(&begin.value(*row))?, time_of_day(&end.value(*row))?))
                };
                Calendar::weekly(rows.iter().filter_map(shift), table.zone.clone())
            })
        }
        CalendarRows::Intervals(columns) => {
            let [start, end] = columns.each_ref().map(operand);
            Box::new(move |rows| {
                let interval = |row: &usize| start.date(*row).zip(end.date(*row));
                Calendar::intervals(rows.iter().filter_map(interval).collect())
            })
        }
        CalendarRows::Days(year, months) => {
            let year = operand(year);
            let months: Vec<Operand> = months.iter().map(operand).collect();
            Box::new(move |rows| of_months(rows, &year, &months, table))
        }
    };
    let mut calendars = Calendars::default();
    let is_single = rows.len() == 1;
    for (name, rows) in rows {
        let calendar = Arc::new(make(&rows));
        if is_single || name.is_none() {
            calendars.only = Some(calendar.clone());
        }
        if let Some(name) = name.filter(|_| table.only.is_none()) {
            calendars.by_ident.insert(name, calendar);
        }
    }
    calendars
}

/// Reads a time of day: milliseconds after midnight, or `HH:MM`, or a date.
fn time_of_day(value: &Value) -> Option<i64> {
    let millis = match value {
        Value::Int(millis) => *millis,
        Value::Float(millis) => *millis as i64,
        Value::Date(millis) => millis.rem_euclid(DAY),
        Value::Text(text) => {
            let mut parts = text.trim().split(':').map(|part| part.parse::<i64>().ok());
            let (hours, minutes) = (parts.next()??, parts.next()??);
            let seconds = parts.next().unwrap_or(Some(0))?;
            (hours * 60 + minutes) * MINUTE + seconds * 1_000
        }
        Value::Null => return None,
    };
    (0..=DAY).contains(&millis).then_some(millis)
}

/// Reads rows of a year and twelve months, each day a 1 or a 0.
fn of_months(rows: &[usize], year: &Operand, months: &[Operand], table: &CalendarTable) -> Calendar {
    let mut days = Vec::new();
    let mut known: Vec<i16> = Vec::new();
    for row in rows {
        let Ok(year) = year.value(*row).to_string().trim().parse::<i16>() else { continue };
        known.push(year);
        for (month, digits) in (1_i8..).zip(months) {
            let Some(first) = jiff::civil::Date::new(year, month, 1).ok().map(days_since_1970) else { continue };
            let digits = digits.text(*row).unwrap_or_default();
            days.extend((0..31).zip(digits.chars()).filter(|(_, digit)| *digit == '1').map(|(day, _)| first + day));
        }
    }
    let known = match (known.iter().min(), known.iter().max()) {
        (Some(first), Some(last)) => years(*first, *last),
        _ => 0..0,
    };
    Calendar::days(days, known, &table.zone)
}

/// Computes a function of dates and a calendar for each row.
pub(super) fn compute(
    calendars: &Calendars,
    worked: &Worked,
    operand: &dyn Fn(&Node) -> Operand,
    length: usize,
) -> Vector {
    let arguments: Vec<Operand> = worked.arguments.iter().map(operand).collect();
    let ident = worked.ident.as_ref().map(operand);
    let rows = 0..length;
    let calendar = |row: usize| calendars.of_row(ident.as_ref(), row);
    let first = |row: usize| arguments[0].date(row);
    match worked.work {
        Work::Between(unit) => {
            Vector::floats(rows.map(|row| between(calendar(row)?, unit, first(row)?, arguments[1].date(row)?)))
        }
        Work::Add(unit) => {
            Vector::dates(rows.map(|row| add(calendar(row)?, unit, first(row)?, arguments[1].float(row)?)))
        }
        Work::Remap(unit) => Vector::ints(rows.map(|row| remap(calendar(row)?, unit, first(row)?))),
        Work::WorkdaysBetween => {
            Vector::ints(rows.map(|row| calendar(row)?.workdays_between(first(row)?, arguments[1].date(row)?)))
        }
        Work::AddWorkdays => {
            Vector::dates(rows.map(|row| calendar(row)?.add_workdays(first(row)?, arguments[1].int(row)?)))
        }
        Work::IsIn => Vector::ints(rows.map(|row| {
            let (calendar, at) = (calendar(row)?, first(row)?);
            calendar.knows(at).then(|| i64::from(calendar.covers(at)))
        })),
    }
}

pub(super) fn between(calendar: &Calendar, unit: Unit, from: i64, to: i64) -> Option<f64> {
    Some(calendar.between(from, to)? as f64 / unit.millis())
}

pub(super) fn add(calendar: &Calendar, unit: Unit, at: i64, count: f64) -> Option<i64> {
    let millis = (count * unit.millis()).round();
    if millis.abs() < 9.0e15 { calendar.add(at, millis as i64) } else { None }
}

pub(super) fn remap(calendar: &Calendar, unit: Unit, at: i64) -> Option<i64> {
    Some(calendar.since_1970(at)?.div_euclid(unit.millis() as i64))
}
