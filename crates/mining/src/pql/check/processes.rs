//! Operators over the events of a case: counts, ranges, pairs of events, roles.

use super::super::Mistake;
use super::super::operators::{self, Counting, Role, Want, hint};
use super::super::plan::{Boundary, Edges, Grain, Node, Op, Pairing, Process, Yield};
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

    pub(super) fn process(&mut self, process: Process, yields: Yield, per_event: bool, span: Span) -> Checked<Node> {
        let roles = &self.program.catalog.roles;
        let table = if per_event { roles.activity_table } else { roles.case_table };
        Ok(self.node(Op::Process(Box::new(process)), yields, Grain::Table(table), span))
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
        self.process(Process::Match { value, conditions }, Yield::Of(Type::Int), false, span)
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
        self.process(Process::Throughput { from, to, time, value }, Yield::Of(Type::Int), false, span)
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
        self.process(Process::Position { value, counting, reverse }, Yield::Of(Type::Int), true, span)
    }

    pub(super) fn variant(&mut self, call: &Call, span: Span) -> Checked<Node> {
        let (value, rest) = self.event_value(call)?;
        no_more(rest)?;
        let value = wanted(value, Want::Text)?;
        self.process(Process::Variant { value, run_max: None }, Yield::Of(Type::String), false, span)
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
                    self.process(process, Yield::Of(Type::String), false, span)
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
        self.process(Process::Rework { filter, value }, Yield::Of(Type::Int), false, span)
    }

    pub(super) fn crop(&mut self, call: &Call, keeps_values: bool, span: Span) -> Checked<Node> {
        let [range, value] = exactly(call, "a range and a column")?;
        let (from, to) = self.boundaries(range)?;
        let value = self.event_texts(Some(value), span)?;
        let yields = if keeps_values { value.yields } else { Yield::Of(Type::Int) };
        self.process(Process::Crop { from, to, value, keeps_values }, yields, true, span)
    }

    pub(super) fn edge_end(&mut self, call: &Call, is_source: bool, span: Span) -> Checked<Node> {
        let (mut value, rest) = self.event_value(call)?;
        let mut filter = None;
        let mut pairing = Pairing::Neighbours;
        let mut filler = None;
        for (place, argument) in rest.iter().enumerate() {
            let is_last = place + 1 == rest.len();
            match &argument.kind {
                ExprKind::Range(from, to) if is_last => pairing = pairing_of(from, to)?,
                ExprKind::Edges { path, start, end } if is_last => {
                    match path.as_ref().map(|path| (&path.kind, path.span)) {
                        None => {}
                        Some((ExprKind::Range(from, to), _)) => pairing = pairing_of(from, to)?,
                        Some((_, span)) => return Err(Mistake::new(span, PAIRINGS)),
                    }
                    let (own, other) = if is_source { (start, end) } else { (end, start) };
                    if other.is_some() {
                        let detail = "WITH START belongs into SOURCE, WITH END into TARGET";
                        return Err(Mistake::new(argument.span, detail));
                    }
                    filler.clone_from(own);
                }
                _ if place == 0 => {
                    let node = self.value_of(argument)?;
                    self.on_events(&node)?;
                    if node.is_clocked() {
                        let detail = "the column that says which events are left out cannot look at the clock";
                        return Err(Mistake::new(argument.span, detail));
                    }
                    filter = Some((node, argument.to_string()));
                }
                _ => return Err(Mistake::new(argument.span, PAIRINGS)),
            }
        }
        let has_extra = filler.is_some();
        let filler = match filler.as_deref() {
            Some([filler]) => {
                let node = self.value_of(filler)?;
                let (mut nodes, own) = self.alike(vec![value, node], span)?;
                let node = nodes.remove(1);
                value = nodes.remove(0);
                value.yields = Yield::Of(own);
                let Some(constant) = constant_value(&node) else {
                    return Err(Mistake::new(filler.span, "expected a constant, as in 'Start'"));
                };
                constant
            }
            _ => Value::Null,
        };
        let text = Expr { kind: ExprKind::Call(call.clone()), span }.to_string();
        let own = Edges {
            pairing,
            filter_text: filter.as_ref().map(|(_, text)| text.clone()),
            filter: filter.map(|(node, _)| node),
            with_start: is_source && has_extra,
            with_end: !is_source && has_extra,
            text,
        };
        let filter = match &mut self.program.edges {
            Some(known) if known.pairing != own.pairing || known.filter_text != own.filter_text => {
                let detail = format!(
                    "{} pairs other events than {}; all SOURCE and TARGET of a query need the same filter column and \
                     the same edge configuration",
                    own.text, known.text
                );
                return Err(Mistake::new(span, detail));
            }
            Some(known) => {
                known.with_start |= own.with_start;
                known.with_end |= own.with_end;
                known.filter.clone()
            }
            none => {
                let filter = own.filter.clone();
                *none = Some(own);
                filter
            }
        };
        let yields = value.yields;
        let process = Process::EdgeEnd { value, filter, is_source, filler };
        Ok(self.node(Op::Process(Box::new(process)), yields, Grain::Edges, span))
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

const PAIRINGS: &str = "expected an edge configuration such as ANY_OCCURRENCE[] TO ANY_OCCURRENCE[]";

fn pairing_of(from: &Expr, to: &Expr) -> Checked<Pairing> {
    let word = |end: &Expr| match &end.kind {
        ExprKind::Bracket { word, items } if items.is_empty() => word.clone(),
        _ => String::new(),
    };
    Ok(match (&*word(from), &*word(to)) {
        ("ANY_OCCURRENCE", "ANY_OCCURRENCE") => Pairing::Neighbours,
        ("FIRST_OCCURRENCE", "ANY_OCCURRENCE") => Pairing::FirstToAny,
        ("FIRST_OCCURRENCE", "ANY_OCCURRENCE_WITH_SELF") => Pairing::FirstToAnyWithSelf,
        ("ANY_OCCURRENCE", "LAST_OCCURRENCE") => Pairing::AnyToLast,
        ("FIRST_OCCURRENCE", "LAST_OCCURRENCE") => Pairing::FirstToLast,
        _ => {
            let known = "ANY_OCCURRENCE[] TO ANY_OCCURRENCE[], FIRST_OCCURRENCE[] TO ANY_OCCURRENCE[], \
                         FIRST_OCCURRENCE[] TO ANY_OCCURRENCE_WITH_SELF[], ANY_OCCURRENCE[] TO LAST_OCCURRENCE[] or \
                         FIRST_OCCURRENCE[] TO LAST_OCCURRENCE[]";
            return Err(Mistake::new(from.span.to(to.span), format!("expected {known}")));
        }
    })
}
