//! Functions of one row that take more than values: formats, zones, lists,
//! calendars.

use jiff::tz::TimeZone;

use super::super::Mistake;
use super::super::operators::{Operator, Rowwise, Want, hint};
use super::super::plan::{ClockPart, DatePart, Function, Grain, Node, Op, Unit, Work, Yield};
use super::super::syntax::{Call, Comparison, Expr, ExprKind, Span};
use super::calls::exactly;
use super::values::{constant_value, wanted};
use super::{Checked, Checker, type_of};
use crate::dates;
use crate::value::{Type, Value};

impl Checker<'_> {
    /// Checks a call whose arguments are not all values; `None` for others.
    pub(super) fn row_call(&mut self, call: &Call, operator: Operator, span: Span) -> Checked<Option<Node>> {
        let count = call.arguments.len();
        let node = match operator {
            Operator::Scalar { function: Function::Between(unit), .. } if count > 2 => {
                self.worked(call, Work::Between(no_month(unit, call)?), &[Want::Date, Want::Date], span)
            }
            Operator::Scalar { function: Function::AddTime(unit), .. } if count > 2 => {
                self.worked(call, Work::Add(no_month(unit, call)?), &[Want::Date, Want::Number], span)
            }
            Operator::Scalar { function: Function::Round, .. } if count == 2 => {
                let [value, digits] = exactly(call, "a number and digits")?;
                let value = self.number(value)?;
                let value = self.widen(value, Type::Float, span)?;
                let digits = self.wanted_value(digits, Want::Int)?;
                self.apply(Function::RoundTo, vec![value, digits], Type::Float, span)
            }
            Operator::Scalar { function: Function::Log, .. } if count == 2 => {
                let [value, base] = exactly(call, "a number and a base")?;
                let (value, base) = (self.number(value)?, self.number(base)?);
                let value = self.apply(Function::Log, vec![value], Type::Float, span)?;
                let base = self.apply(Function::Log, vec![base], Type::Float, span)?;
                self.apply(Function::Divide, vec![value, base], Type::Float, span)
            }
            Operator::Scalar { function: Function::ToText, .. } if count == 2 => {
                let [date, format] = exactly(call, "a value, or a date and a format")?;
                let date = self.wanted_value(date, Want::Date)?;
                let format = self.format(format)?;
                self.apply(Function::FormatDate, vec![date, format], Type::String, span)
            }
            Operator::ClockPart(part) if count == 1 => self.zoned_clock(part, &call.arguments[0], span),
            Operator::RemapTimestamps if count > 2 => self.remap_timestamps(call, span),
            Operator::Rowwise(rowwise) => self.rowwise(call, rowwise, span),
            _ => return Ok(None),
        };
        node.map(Some)
    }

    fn rowwise(&mut self, call: &Call, rowwise: Rowwise, span: Span) -> Checked<Node> {
        match rowwise {
            Rowwise::Remap => self.remap(call, span),
            Rowwise::MultiIn => self.multi_in(call, span),
            Rowwise::UniqueId => {
                if call.arguments.is_empty() {
                    return Err(Mistake::new(span, "UNIQUE_ID takes at least one column"));
                }
                let mut parts = Vec::new();
                for argument in &call.arguments {
                    let part = self.value_of(argument)?;
                    let own = type_of(&part);
                    parts.push(self.widen(part, own, span)?);
                }
                self.apply(Function::UniqueId, parts, Type::Int, span)
            }
            Rowwise::PatIndex => {
                let [text, pattern, rest @ ..] = &call.arguments[..] else {
                    return Err(Mistake::new(call.name_span, "PATINDEX takes a text and a pattern such as '%b_d%'"));
                };
                let text = self.wanted_value(text, Want::Text)?;
                let pattern = self.wanted_value(pattern, Want::Text)?;
                let occurrence = match rest {
                    [] => self.constant(Value::Int(1), span),
                    [occurrence] => self.wanted_value(occurrence, Want::Int)?,
                    [_, more, ..] => return Err(Mistake::new(more.span, "expected the end of the arguments")),
                };
                self.apply(Function::PatIndex, vec![text, pattern, occurrence], Type::Int, span)
            }
            Rowwise::ToDate => {
                let [text, format] = exactly(call, "a text and a format, as in FORMAT('%Y-%m-%d')")?;
                let text = self.wanted_value(text, Want::Text)?;
                let format = self.format(format)?;
                self.apply(Function::ParseDate, vec![text, format], Type::Date, span)
            }
            Rowwise::ConvertZone => {
                let [date, zones @ ..] = &call.arguments[..] else {
                    return Err(Mistake::new(call.name_span, "CONVERT_TIMEZONE takes a date and one or two zones"));
                };
                let date = self.wanted_value(date, Want::Date)?;
                let utc = self.constant(Value::Text("UTC".into()), span);
                let (from, to) = match zones {
                    [to] => (utc, self.zone(to)?.1),
                    [from, to] => (self.zone(from)?.1, self.zone(to)?.1),
                    _ => {
                        let detail = "expected one zone to convert to, or two: from and to";
                        return Err(Mistake::new(call.name_span, detail));
                    }
                };
                self.apply(Function::ConvertZone, vec![date, from, to], Type::Date, span)
            }
            Rowwise::DateMatch => self.date_match(call, span),
            Rowwise::WorkdaysBetween => self.workdays(call, Work::WorkdaysBetween, &[Want::Date, Want::Date], span),
            Rowwise::AddWorkdays => self.workdays(call, Work::AddWorkdays, &[Want::Date, Want::Int], span),
            Rowwise::InCalendar => self.worked(call, Work::IsIn, &[Want::Date], span),
            Rowwise::Calendar => {
                let detail = format!(
                    "{} can stand only as the calendar of another operator, as in HOURS_BETWEEN(a, b, {}(…))",
                    call.name, call.name
                );
                Err(Mistake::new(span, detail))
            }
            Rowwise::Format => {
                Err(Mistake::new(span, "FORMAT can stand only as the second argument of TO_STRING and TO_DATE"))
            }
        }
    }

    pub(super) fn wanted_value(&mut self, expr: &Expr, want: Want) -> Checked<Node> {
        let node = self.value_of(expr)?;
        wanted(node, want)
    }

    /// Reads a constant text, be it written or the value of a variable.
    pub(super) fn constant_text(&mut self, expr: &Expr, what: &str) -> Checked<(String, Node)> {
        let node = self.value_of(expr)?;
        match constant_value(&node) {
            Some(Value::Text(text)) => Ok((text.to_string(), node)),
            _ => Err(Mistake::new(expr.span, format!("expected {what}"))),
        }
    }

    fn format(&mut self, expr: &Expr) -> Checked<Node> {
        let inner = match &expr.kind {
            ExprKind::Call(call) if call.name == "FORMAT" => {
                let [inner] = exactly(call, "a text such as '%Y-%m-%d'")?;
                inner
            }
            ExprKind::Text(_) | ExprKind::Variable(_) => expr,
            _ => return Err(Mistake::new(expr.span, "expected a format, as in FORMAT('%Y-%m-%d %H:%M')")),
        };
        let (format, node) = self.constant_text(inner, "a format, as in FORMAT('%Y-%m-%d %H:%M')")?;
        match dates::fault_of_format(&format) {
            Some(detail) => Err(Mistake::new(inner.span, detail)),
            None => Ok(node),
        }
    }

    /// Reads the name of a time zone.
    pub(super) fn zone(&mut self, expr: &Expr) -> Checked<(TimeZone, Node)> {
        let (name, node) = self.constant_text(expr, "a time zone such as 'Europe/Berlin'")?;
        let zone = dates::zone(&name).ok_or_else(|| {
            let known: Vec<String> = jiff::tz::db().available().map(|known| known.to_string()).collect();
            let hint = hint(&name, known.iter().map(String::as_str));
            Mistake::new(expr.span, format!("there is no time zone \"{name}\"{hint}"))
        })?;
        Ok((zone, node))
    }

    fn zoned_clock(&mut self, part: ClockPart, zone: &Expr, span: Span) -> Checked<Node> {
        let yields = if part == ClockPart::Today { Type::Date } else { Type::Int };
        let (zone, _) = self.zone(zone)?;
        let op = if zone == TimeZone::UTC { Op::ClockPart(part) } else { Op::ZonedClock(part, zone) };
        Ok(self.node(op, Yield::Of(yields), Grain::Constant, span))
    }

    /// Checks `REMAP_VALUES(x, ['a', 'b'], … [, default])` and its kin for INT.
    fn remap(&mut self, call: &Call, span: Span) -> Checked<Node> {
        let (want, what) =
            if call.name == "REMAP_INTS" { (Want::Int, "[1, 2]") } else { (Want::Text, "['old', 'new']") };
        let [value, pairs @ ..] = &call.arguments[..] else {
            return Err(Mistake::new(call.name_span, format!("{} takes a column and pairs such as {what}", call.name)));
        };
        let mut nodes = vec![self.wanted_value(value, want)?];
        let mut default = None;
        let pairs = self.spliced(pairs)?;
        for (place, pair) in pairs.iter().enumerate() {
            match &pair.kind {
                ExprKind::Bracket { word, items } if word.is_empty() && items.len() == 2 => {
                    for item in items {
                        let node = self.wanted_value(item, want)?;
                        if constant_value(&node).is_none() {
                            return Err(Mistake::new(item.span, "expected a constant"));
                        }
                        nodes.push(node);
                    }
                }
                ExprKind::Bracket { .. } => {
                    return Err(Mistake::new(pair.span, format!("expected a pair such as {what}")));
                }
                _ if place + 1 == pairs.len() => default = Some(self.wanted_value(pair, want)?),
                _ => return Err(Mistake::new(pair.span, format!("expected a pair such as {what}"))),
            }
        }
        let function = Function::RemapValues(default.is_some());
        nodes.extend(default);
        let result = if want == Want::Int { Type::Int } else { Type::String };
        self.apply(function, nodes, result, span)
    }

    /// Checks `MULTI_IN((a, b), (1, 2), …)`: some row of values fits.
    fn multi_in(&mut self, call: &Call, span: Span) -> Checked<Node> {
        let form = "MULTI_IN takes columns and values for them, as in MULTI_IN((a, b), ('x', 1), ('y', 2))";
        let [columns, rows @ ..] = &call.arguments[..] else { return Err(Mistake::new(call.name_span, form)) };
        let (ExprKind::Bracket { items: columns, .. } | ExprKind::Tuple(columns)) = &columns.kind else {
            return Err(Mistake::new(columns.span, form));
        };
        let mut fitting = Vec::new();
        for row in &self.rows_spliced(rows)? {
            let (ExprKind::Bracket { items, .. } | ExprKind::Tuple(items)) = &row.kind else {
                return Err(Mistake::new(row.span, form));
            };
            if items.len() != columns.len() {
                let detail = format!("expected {} values, one per column, found {}", columns.len(), items.len());
                return Err(Mistake::new(row.span, detail));
            }
            let mut all: Option<Node> = None;
            for (column, item) in columns.iter().zip(items) {
                let (column, item) = (self.value_of(column)?, self.value_of(item)?);
                let equal = self.compare(Comparison::Equal, column, item, span)?;
                all = Some(match all {
                    None => equal,
                    Some(before) => {
                        let grain = self.common_of(&[&before, &equal])?;
                        self.node(Op::And(Box::new(before), Box::new(equal)), Yield::Truth, grain, span)
                    }
                });
            }
            fitting.extend(all);
        }
        self.any_of(fitting, span)
    }

    /// Puts the rows of variables in the place of the variables. What holds
    /// plain values only is one row.
    fn rows_spliced(&self, rows: &[Expr]) -> Checked<Vec<Expr>> {
        let mut found = Vec::new();
        for row in rows {
            let items = self.spliced(std::slice::from_ref(row))?;
            let is_row = |item: &Expr| matches!(item.kind, ExprKind::Bracket { .. } | ExprKind::Tuple(_));
            if items.len() > 1 && !items.iter().any(is_row) {
                found.push(Expr { kind: ExprKind::Tuple(items), span: row.span });
            } else {
                found.extend(items);
            }
        }
        Ok(found)
    }

    /// Checks `DATE_MATCH(date, [years], [quarters], [months], [weeks], [days])`:
    /// the date fits each list that is not empty.
    fn date_match(&mut self, call: &Call, span: Span) -> Checked<Node> {
        let form = "a date and lists of years, quarters, months, weeks and days, as in \
                    DATE_MATCH(d, [2026], [], [1, 2], [], [])";
        let [date, lists @ ..] = &call.arguments[..] else {
            return Err(Mistake::new(call.name_span, format!("DATE_MATCH takes {form}")));
        };
        let date = self.wanted_value(date, Want::Date)?;
        let parts = [DatePart::Year, DatePart::Quarter, DatePart::Month, DatePart::Week, DatePart::Day];
        if lists.len() > parts.len() {
            return Err(Mistake::new(lists[parts.len()].span, "expected the end of the arguments"));
        }
        // Known is known: the answer for a date that is missing is missing.
        let grain = date.grain;
        let known = self.node(Op::IsNull(Box::new(date.clone())), Yield::Truth, grain, span);
        let mut branches = vec![(known, self.constant(Value::Null, span))];
        for (list, part) in lists.iter().zip(parts) {
            let ExprKind::Bracket { word, items } = &list.kind else {
                return Err(Mistake::new(list.span, format!("DATE_MATCH takes {form}")));
            };
            if !word.is_empty() {
                return Err(Mistake::new(list.span, format!("DATE_MATCH takes {form}")));
            }
            let mut values = Vec::new();
            for item in &self.spliced(items)? {
                let node = self.wanted_value(item, Want::Int)?;
                values.extend(constant_value(&node).filter(|value| *value != Value::Null));
            }
            if values.is_empty() {
                continue;
            }
            let own = self.apply(Function::Part(part), vec![date.clone()], Type::Int, span)?;
            let is_in = self.node(Op::In(Box::new(own), values), Yield::Truth, grain, span);
            let differs = self.not(is_in, true, span);
            branches.push((differs, self.constant(Value::Int(0), span)));
        }
        let mut typed = Vec::new();
        for (condition, value) in branches {
            typed.push((condition, self.widen(value, Type::Int, span)?));
        }
        let fits = self.constant(Value::Int(1), span);
        Ok(self.node(Op::Case(typed, Some(Box::new(fits))), Yield::Of(Type::Int), grain, span))
    }
}

/// Working months and years have no length.
fn no_month(unit: Unit, call: &Call) -> Checked<Unit> {
    if matches!(unit, Unit::Months | Unit::Years) {
        let detail = format!("{} goes by no calendar: months and years of working time have no length", call.name);
        return Err(Mistake::new(call.name_span, detail));
    }
    Ok(unit)
}
