//! Operators over the events of a case: counts, ranges, pairs of events, roles.

use super::super::Mistake;
use super::super::operators::{self, Counting, Role, Want, hint};
use super::super::plan::{Boundary, Grain, Node, Op, Process, Yield};
use super::super::syntax::{Call, Expr, ExprKind, Span};
use super::calls::{exactly, no_more};
use super::values::{constant_value, wanted};
use super::{Checked, Checker};
use crate::value::{Type, Value};

impl Checker<'_> {
    /// Checks the first argument of an operator over events.
    pub(super) fn event_value<'e>(&mut self, call: &'e Call) -> Checked<(Node, &'e [Expr])> {
        let [value, rest @ ..] = &call.arguments[..] else {
            return Err(Mistake::new(call.name_span, format!("{} takes a column of the activity table", call.name)));
        };
        let value = self.value_of(value)?;
        self.on_events(&value)?;
        Ok((value, rest))
    }

    pub(super) fn on_events(&self, node: &Node) -> Checked<()> {
        let events = Grain::Table(self.program.catalog.roles.activity_table);
        if self.program.reaches(events, node.grain) {
            return Ok(());
        }
        let detail = format!(
            "expected a value of {}, found one of {}",
            self.program.name(events),
            self.program.name(node.grain)
        );
        Err(Mistake::new(node.span, detail))
    }

    /// Makes a node with a value for each event.
    pub(super) fn per_event(&mut self, process: Process, yields: Yield, span: Span) -> Checked<Node> {
        let events = Grain::Table(self.program.catalog.roles.activity_table);
        Ok(self.node(Op::Process(Box::new(process)), yields, events, span))
    }

    /// Makes a node with a value for each case.
    pub(super) fn per_case(&mut self, process: Process, yields: Yield, span: Span) -> Checked<Node> {
        let cases = Grain::Table(self.program.catalog.roles.case_table);
        Ok(self.node(Op::Process(Box::new(process)), yields, cases, span))
    }

    pub(super) fn activity_column(&mut self, span: Span) -> Checked<Node> {
        if let Some(column) = self.activities.clone() {
            let value = self.value_of(&column)?;
            self.on_events(&value)?;
            return wanted(value, Want::Text);
        }
        let roles = self.program.catalog.roles.clone();
        let (_, yields) = self.program.catalog.tables[roles.activity_table].columns[roles.activity_column];
        let op = Op::Column { table: roles.activity_table, column: roles.activity_column };
        let node = self.node(op, Yield::Of(yields), Grain::Table(roles.activity_table), span);
        wanted(node, Want::Text)
    }

    /// Checks `ACTIVITY_LEAD(x [, n])`, and `ACTIVITY_LAG` with a direction of
    /// -1.
    pub(super) fn neighbour(&mut self, call: &Call, direction: i64, span: Span) -> Checked<Node> {
        let (value, rest) = self.event_value(call)?;
        let steps = match rest {
            [] => 1,
            [steps] => match self.value_of(steps)?.op {
                Op::Constant(Value::Int(steps)) if steps > 0 => steps,
                _ => return Err(Mistake::new(steps.span, "expected a whole number above 0")),
            },
            [_, more, ..] => return Err(Mistake::new(more.span, "expected at most two arguments")),
        };
        let yields = value.yields;
        self.per_event(Process::Neighbour { value, by: steps * direction }, yields, span)
    }

    pub(super) fn match_activities(&mut self, call: &Call, span: Span) -> Checked<Node> {
        let mut value = None;
        let mut conditions = Vec::new();
        for argument in &call.arguments {
            let ExprKind::Bracket { word, items } = &argument.kind else {
                if value.is_some() || !conditions.is_empty() {
                    return Err(Mistake::new(argument.span, "expected a condition such as NODE['A']"));
                }
                let node = self.value_of(argument)?;
                self.on_events(&node)?;
                value = Some(wanted(node, Want::Text)?);
                continue;
            };
            let Some(occurrence) = operators::occurrence(word) else {
                let words = ["STARTING", "NODE", "NODE_ANY", "ENDING", "EXCLUDING", "EXCLUDING_ALL"];
                return Err(Mistake::new(argument.span, format!("{word} is no condition{}", hint(word, words))));
            };
            let mut activities = Vec::new();
            for item in &self.spliced(items)? {
                activities.push(self.activity_name(item)?);
            }
            conditions.push((occurrence, activities));
        }
        let value = match value {
            Some(value) => value,
            None => self.activity_column(span)?,
        };
        self.per_case(Process::Match { value, conditions }, Yield::Of(Type::Int), span)
    }

    pub(super) fn activity_name(&mut self, expr: &Expr) -> Checked<String> {
        let node = self.value_of(expr)?;
        match node.op {
            Op::Constant(Value::Text(text)) => Ok(text.to_string()),
            _ => Err(Mistake::new(expr.span, "expected the name of an activity, as in 'Ship'")),
        }
    }

    pub(super) fn throughput(&mut self, call: &Call, span: Span) -> Checked<Node> {
        let [range, time, rest @ ..] = &call.arguments[..] else {
            return Err(Mistake::new(span, "CALC_THROUGHPUT takes a range and remapped times"));
        };
        let (from, to) = self.boundaries(range)?;
        let time = self.value_of(time)?;
        self.on_events(&time)?;
        let time = wanted(time, Want::Int)?;
        let value = match rest {
            [] => self.activity_column(span)?,
            [value] => {
                let value = self.value_of(value)?;
                self.on_events(&value)?;
                wanted(value, Want::Text)?
            }
            [_, more, ..] => return Err(Mistake::new(more.span, "expected the end of the arguments")),
        };
        self.per_case(Process::Throughput { from, to, time, value }, Yield::Of(Type::Int), span)
    }

    /// Reads `from TO to`, as CALC_THROUGHPUT and CALC_CROP have it.
    fn boundaries(&mut self, range: &Expr) -> Checked<(Boundary, Boundary)> {
        let ExprKind::Range(from, to) = &range.kind else {
            return Err(Mistake::new(range.span, "expected a range such as CASE_START TO CASE_END"));
        };
        Ok((self.boundary(from, Boundary::CaseStart)?, self.boundary(to, Boundary::CaseEnd)?))
    }

    /// Reads a boundary; `outermost` is what the older `ALL_OCCURRENCE['']`
    /// says in its place, whatever stands in the brackets.
    fn boundary(&mut self, expr: &Expr, outermost: Boundary) -> Checked<Boundary> {
        match &expr.kind {
            ExprKind::Bracket { word, .. } if word == "ALL_OCCURRENCE" => Ok(outermost),
            ExprKind::Name { name, .. } if name.eq_ignore_ascii_case("CASE_START") => Ok(Boundary::CaseStart),
            ExprKind::Name { name, .. } if name.eq_ignore_ascii_case("CASE_END") => Ok(Boundary::CaseEnd),
            ExprKind::Bracket { word, items } if items.len() == 1 && word == "FIRST_OCCURRENCE" => {
                self.activity_name(&items[0]).map(Boundary::First)
            }
            ExprKind::Bracket { word, items } if items.len() == 1 && word == "LAST_OCCURRENCE" => {
                self.activity_name(&items[0]).map(Boundary::Last)
            }
            _ => Err(Mistake::new(
                expr.span,
                "expected CASE_START, CASE_END, FIRST_OCCURRENCE['…'] or LAST_OCCURRENCE['…']",
            )),
        }
    }

    /// Checks texts of events, the activities if nothing is written.
    pub(super) fn event_texts(&mut self, column: Option<&Expr>, span: Span) -> Checked<Node> {
        let Some(column) = column else { return self.activity_column(span) };
        let value = self.value_of(column)?;
        self.on_events(&value)?;
        wanted(value, Want::Text)
    }

    pub(super) fn position(&mut self, call: &Call, counting: Counting, reverse: bool, span: Span) -> Checked<Node> {
        let (value, rest) = self.event_value(call)?;
        no_more(rest)?;
        self.per_event(Process::Position { value, counting, reverse }, Yield::Of(Type::Int), span)
    }

    pub(super) fn variant(&mut self, call: &Call, span: Span) -> Checked<Node> {
        let (value, rest) = self.event_value(call)?;
        no_more(rest)?;
        let value = wanted(value, Want::Text)?;
        self.per_case(Process::Variant { value, run_max: None }, Yield::Of(Type::String), span)
    }

    pub(super) fn shortened(&mut self, call: &Call, span: Span) -> Checked<Node> {
        let [inner, rest @ ..] = &call.arguments[..] else {
            return Err(Mistake::new(call.name_span, "SHORTENED takes a variant, as in SHORTENED(VARIANT(…))"));
        };
        let run_max = match rest {
            [] => 2,
            [number, more @ ..] => {
                no_more(more)?;
                let node = self.value_of(number)?;
                match constant_value(&node) {
                    Some(Value::Int(number @ 1..=1_000_000)) => number as u32,
                    _ => return Err(Mistake::new(number.span, "expected a whole number above 0")),
                }
            }
        };
        let node = self.value_of(inner)?;
        match node.op {
            Op::Process(process) => match *process {
                Process::Variant { value, run_max: None } => {
                    let process = Process::Variant { value, run_max: Some(run_max) };
                    self.per_case(process, Yield::Of(Type::String), span)
                }
                _ => Err(Mistake::new(inner.span, "expected a variant, as in VARIANT(\"TABLE\".\"COLUMN\")")),
            },
            _ => Err(Mistake::new(inner.span, "expected a variant, as in VARIANT(\"TABLE\".\"COLUMN\")")),
        }
    }

    pub(super) fn rework(&mut self, call: &Call, span: Span) -> Checked<Node> {
        let (filter, value) = match &call.arguments[..] {
            [] => (None, None),
            [one] => {
                let node = self.any(one)?;
                if node.yields == Yield::Truth { (Some(node), None) } else { (None, Some(node)) }
            }
            [filter, value] => (Some(self.truth_of(filter)?), Some(self.value_of(value)?)),
            [_, _, more, ..] => return Err(Mistake::new(more.span, "expected a condition and a column at most")),
        };
        for node in [&filter, &value].into_iter().flatten() {
            self.on_events(node)?;
        }
        self.per_case(Process::Rework { filter, value }, Yield::Of(Type::Int), span)
    }

    pub(super) fn crop(&mut self, call: &Call, keeps_values: bool, span: Span) -> Checked<Node> {
        let [range, value] = exactly(call, "a range and a column")?;
        let (from, to) = self.boundaries(range)?;
        let value = self.event_texts(Some(value), span)?;
        let yields = if keeps_values { value.yields } else { Yield::Of(Type::Int) };
        self.per_event(Process::Crop { from, to, value, keeps_values }, yields, span)
    }

    /// Finds the table that a role names.
    pub(super) fn role_table(&self, call: &Call) -> Checked<usize> {
        let roles = &self.program.catalog.roles;
        let table = if call.name == "CASE_TABLE" { roles.case_table } else { roles.activity_table };
        self.of_activities(call)?;
        Ok(table)
    }

    /// Refuses an argument that names another table than that of the
    /// activities: there is one such table in a data model.
    fn of_activities(&self, call: &Call) -> Checked<()> {
        let (table, span) = match &call.arguments[..] {
            [] => return Ok(()),
            [one] => match &one.kind {
                ExprKind::Name { name, .. } => (name, one.span),
                ExprKind::Column { table, .. } => (table, one.span),
                _ => return Err(Mistake::new(one.span, "expected the activity table, or nothing")),
            },
            [_, more, ..] => return Err(Mistake::new(more.span, "expected at most one argument")),
        };
        let catalog = &self.program.catalog;
        let own = &catalog.tables[catalog.roles.activity_table].name;
        if catalog.table(table) == Some(catalog.roles.activity_table) {
            return Ok(());
        }
        Err(Mistake::new(span, format!("\"{table}\" is not the activity table; that is \"{own}\"")))
    }

    pub(super) fn role_column(&mut self, call: &Call, role: Role, span: Span) -> Checked<Node> {
        self.of_activities(call)?;
        let roles = self.program.catalog.roles.clone();
        let column = match role {
            Role::Activity => roles.activity_column,
            Role::Case => roles.case_column,
            Role::Timestamp => roles.timestamp_column,
            Role::EndTimestamp => roles.end_timestamp_column.unwrap_or(roles.timestamp_column),
            Role::Sorting => roles.sorting_column.ok_or_else(|| {
                Mistake::new(call.name_span, "the data model names no sorting column; give it one, or order by time")
            })?,
            Role::ActivityTable | Role::CaseTable => {
                let detail = format!("{} is a table; it stands where a table's name could stand", call.name);
                return Err(Mistake::new(call.name_span, detail));
            }
        };
        let table = roles.activity_table;
        let yields = Yield::Of(self.program.catalog.tables[table].columns[column].1);
        Ok(self.node(Op::Column { table, column }, yields, Grain::Table(table), span))
    }
}
