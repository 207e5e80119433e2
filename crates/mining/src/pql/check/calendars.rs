//! Working calendars, and the functions that go by one.

use std::sync::Arc;

use jiff::tz::TimeZone;

use super::super::Mistake;
use super::super::operators::Want;
use super::super::parse::WEEKDAYS;
use super::super::plan::{CalendarPlan, CalendarRows, CalendarTable, Grain, Node, Op, Work, Worked, Yield};
use super::super::syntax::{Call, Expr, ExprKind, Span};
use super::calls::{exactly, unit_of};
use super::values::wanted;
use super::{Checked, Checker};
use crate::calendar::Calendar;
use crate::value::Type;

const MINUTE: i64 = 60_000;

/// The calls that make a calendar.
const CALENDARS: [&str; 4] = ["WEEKDAY_CALENDAR", "FACTORY_CALENDAR", "WORKDAY_CALENDAR", "INTERSECT"];

impl Checker<'_> {
    /// Checks `REMAP_TIMESTAMPS(date, unit, calendar [, ident])`.
    pub(super) fn remap_timestamps(&mut self, call: &Call, span: Span) -> Checked<Node> {
        let unit = unit_of(&call.arguments[1])?;
        let date = self.wanted_value(&call.arguments[0], Want::Date)?;
        self.with_calendar(Work::Remap(unit), vec![date], &call.arguments[2..], span)
    }

    /// Checks a function whose calendar stands behind its values.
    pub(super) fn worked(&mut self, call: &Call, work: Work, wants: &[Want], span: Span) -> Checked<Node> {
        if call.arguments.len() <= wants.len() {
            let detail = format!("{} takes {} and a calendar", call.name, values(wants.len()));
            return Err(Mistake::new(call.name_span, detail));
        }
        let mut arguments = Vec::new();
        for (argument, want) in call.arguments.iter().zip(wants) {
            arguments.push(self.wanted_value(argument, *want)?);
        }
        self.with_calendar(work, arguments, &call.arguments[wants.len()..], span)
    }

    /// Checks `WORKDAYS_BETWEEN` and `ADD_WORKDAYS`, whose calendar may stand
    /// before the values too, as it did in older texts.
    pub(super) fn workdays(&mut self, call: &Call, work: Work, wants: &[Want], span: Span) -> Checked<Node> {
        let is_calendar = |argument: &Expr| matches!(&argument.kind, ExprKind::Call(call) if is_calendar(call));
        match &call.arguments[..] {
            [calendar, values @ ..] if is_calendar(calendar) && values.len() == wants.len() => {
                let mut turned = call.clone();
                turned.arguments.rotate_left(1);
                self.worked(&turned, work, wants, span)
            }
            _ => self.worked(call, work, wants, span),
        }
    }

    fn with_calendar(&mut self, work: Work, arguments: Vec<Node>, rest: &[Expr], span: Span) -> Checked<Node> {
        let (calendar, ident) = match rest {
            [calendar] => (calendar, None),
            [calendar, ident] => (calendar, Some(ident)),
            [_, _, more, ..] => return Err(Mistake::new(more.span, "expected the end of the arguments")),
            [] => return Err(Mistake::new(span, "expected a calendar")),
        };
        let plan = self.calendar(calendar)?;
        let ident = match ident {
            Some(ident) if !plan.reads_table() => {
                let detail = "this calendar stands in the text and is the only one; leave the column of idents out";
                return Err(Mistake::new(ident.span, detail));
            }
            Some(ident) => Some(self.wanted_value(ident, Want::Text)?),
            None => None,
        };
        let grain = self.common_of(&arguments.iter().chain(&ident).collect::<Vec<_>>())?;
        let result = match work {
            Work::Between(_) => Type::Float,
            Work::Add(_) | Work::AddWorkdays => Type::Date,
            Work::Remap(_) | Work::WorkdaysBetween | Work::IsIn => Type::Int,
        };
        let worked = Worked { work, arguments, ident, calendar: plan };
        Ok(self.node(Op::Worked(Box::new(worked)), Yield::Of(result), grain, span))
    }

    fn calendar(&mut self, expr: &Expr) -> Checked<CalendarPlan> {
        let call = match &expr.kind {
            ExprKind::Call(call) if is_calendar(call) => call,
            _ => {
                let detail = "expected a calendar, as in WEEKDAY_CALENDAR(MONDAY 08:00-16:00 TUESDAY 08:00-16:00)";
                return Err(Mistake::new(expr.span, detail));
            }
        };
        match call.name.as_str() {
            "INTERSECT" => {
                let [one, other] = exactly(call, "two calendars")?;
                let (one, other) = (self.calendar(one)?, self.calendar(other)?);
                Ok(match (one, other) {
                    (CalendarPlan::Known(one), CalendarPlan::Known(other)) => {
                        CalendarPlan::Known(Arc::new(one.intersect(&other)))
                    }
                    (one, other) => CalendarPlan::Intersect(Box::new(one), Box::new(other)),
                })
            }
            "WEEKDAY_CALENDAR" => self.weekday_calendar(call),
            "FACTORY_CALENDAR" => self.factory_calendar(call),
            _ => self.workday_calendar(call),
        }
    }

    fn weekday_calendar(&mut self, call: &Call) -> Checked<CalendarPlan> {
        let is_shift = |argument: &&Expr| matches!(argument.kind, ExprKind::Shift(_));
        let shifts = call.arguments.iter().take_while(is_shift).count();
        if shifts == 0 {
            let [table, rest @ ..] = &call.arguments[..] else {
                let detail = "WEEKDAY_CALENDAR takes shifts, as in MONDAY 08:00-16:30 TUESDAY, or a table of them";
                return Err(Mistake::new(call.name_span, detail));
            };
            let place = self.table_of(table)?;
            let columns = ["WEEKDAY", "SHIFT_BEGIN", "SHIFT_END"];
            let [day, begin, end] = columns.map(|column| self.calendar_column(place, &[column], table.span));
            let rows = CalendarRows::Shifts(Box::new([day?, begin?, end?]));
            let ident = self.calendar_column(place, &["IDENT"], table.span).ok();
            return self.calendar_table(rows, ident, rest);
        }
        let zone = match &call.arguments[shifts..] {
            [] => TimeZone::UTC,
            [zone] => self.zone(zone)?.0,
            [_, more, ..] => return Err(Mistake::new(more.span, "expected the end of the arguments")),
        };
        let shifts = call.arguments[..shifts].iter().filter_map(|argument| {
            let ExprKind::Shift(shift) = &argument.kind else { return None };
            let (begin, end) = shift.minutes.unwrap_or((0, 24 * 60));
            let day = WEEKDAYS.iter().position(|day| *day == shift.day)?;
            Some((day, i64::from(begin) * MINUTE, i64::from(end) * MINUTE))
        });
        Ok(CalendarPlan::Known(Arc::new(Calendar::weekly(shifts, zone))))
    }

    /// Checks `FACTORY_CALENDAR(start, end [, filter])` and
    /// `FACTORY_CALENDAR("TABLE" [, filter])`.
    fn factory_calendar(&mut self, call: &Call) -> Checked<CalendarPlan> {
        match &call.arguments[..] {
            [table, rest @ ..] if matches!(table.kind, ExprKind::Name { .. }) => {
                let place = self.table_of(table)?;
                let start = self.calendar_column(place, &["START", "START_DATE"], table.span)?;
                let end = self.calendar_column(place, &["END", "END_DATE"], table.span)?;
                let rows = CalendarRows::Intervals(Box::new([wanted(start, Want::Date)?, wanted(end, Want::Date)?]));
                let ident = self.calendar_column(place, &["IDENT"], table.span).ok();
                self.calendar_table(rows, ident, rest)
            }
            [start, end, rest @ ..] => {
                let (start, end) = (self.wanted_value(start, Want::Date)?, self.wanted_value(end, Want::Date)?);
                self.calendar_table(CalendarRows::Intervals(Box::new([start, end])), None, rest)
            }
            _ => {
                let detail = "FACTORY_CALENDAR takes columns of starts and ends, or a table with START and END";
                Err(Mistake::new(call.name_span, detail))
            }
        }
    }

    /// Checks `WORKDAY_CALENDAR("TFACS" [, 'ident'])`.
    fn workday_calendar(&mut self, call: &Call) -> Checked<CalendarPlan> {
        let [table, rest @ ..] = &call.arguments[..] else {
            return Err(Mistake::new(call.name_span, "WORKDAY_CALENDAR takes a table such as \"TFACS\""));
        };
        let place = self.table_of(table)?;
        let year = self.calendar_column(place, &["JAHR", "YEAR"], table.span)?;
        let mut months = Vec::new();
        for month in 1..=12 {
            let node = self.calendar_column(place, &[&format!("MON{month:02}")], table.span)?;
            months.push(wanted(node, Want::Text)?);
        }
        let ident = self.calendar_column(place, &["IDENT"], table.span).ok();
        let only = match rest {
            [] => None,
            [only] => Some(Arc::from(self.constant_text(only, "the ident of a calendar, as in 'DE'")?.0)),
            [_, more, ..] => return Err(Mistake::new(more.span, "expected the end of the arguments")),
        };
        let rows = CalendarRows::Days(year, months);
        let grain = Grain::Table(place);
        Ok(CalendarPlan::Table(Box::new(CalendarTable { ident, rows, filter: None, only, zone: TimeZone::UTC, grain })))
    }

    /// Reads a filter, a zone, or both behind a table.
    fn calendar_table(&mut self, rows: CalendarRows, ident: Option<Node>, rest: &[Expr]) -> Checked<CalendarPlan> {
        let mut table =
            CalendarTable { ident, rows, filter: None, only: None, zone: TimeZone::UTC, grain: Grain::Constant };
        for (place, argument) in rest.iter().enumerate() {
            if matches!(argument.kind, ExprKind::Text(_) | ExprKind::Variable(_)) {
                table.zone = self.zone(argument)?.0;
            } else if place == 0 {
                table.filter = Some(self.truth_of(argument)?);
            } else {
                return Err(Mistake::new(argument.span, "expected the end of the arguments"));
            }
        }
        let mut parts: Vec<&Node> = match &table.rows {
            CalendarRows::Shifts(columns) => columns.iter().collect(),
            CalendarRows::Intervals(columns) => columns.iter().collect(),
            CalendarRows::Days(..) => Vec::new(),
        };
        parts.extend(&table.ident);
        parts.extend(&table.filter);
        // It is made once per root, whatever the time.
        if let Some(clocked) = parts.iter().find(|part| part.is_clocked()) {
            return Err(Mistake::new(clocked.span, "a calendar cannot depend on the clock"));
        }
        let grain = self.common_of(&parts)?;
        match grain {
            Grain::Table(_) => {
                table.grain = grain;
                Ok(CalendarPlan::Table(Box::new(table)))
            }
            _ => Err(Mistake::new(parts[0].span, "expected columns of a table")),
        }
    }

    /// Finds a column of a calendar's table by one of its names.
    fn calendar_column(&mut self, table: usize, names: &[&str], span: Span) -> Checked<Node> {
        let catalog = self.program.catalog.clone();
        let table = &catalog.tables[table];
        let known = |name: &&&str| table.columns.iter().any(|(column, _)| column.eq_ignore_ascii_case(name));
        let name = names.iter().find(known).unwrap_or(&names[0]);
        self.column(&table.name, name, span)
    }
}

fn is_calendar(call: &Call) -> bool {
    CALENDARS.contains(&call.name.as_str())
}

fn values(count: usize) -> &'static str {
    if count == 1 { "a date" } else { "two values" }
}
