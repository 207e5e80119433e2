//! Operators with names, and what each of them takes.

use super::super::operators::{self, Gives, OPERATORS, Operator, Takes, Want, hint};
use super::super::plan::{
    Aggregate, Aggregation, Boundary, Domain, Function, Grain, Node, Op, Process, PullUp, Unit, Yield,
};
use super::super::syntax::{Call, Expr, ExprKind, Span};
use super::super::{Mistake, parse};
use super::values::{constant_value, wanted};
use super::{Checked, Checker, EXPANSIONS_MAX, type_of};
use crate::value::{Type, Value};

impl Checker<'_> {
    pub(super) fn call(&mut self, call: &Call, span: Span) -> Checked<Node> {
        let Some(operator) = operators::operator(&call.name) else {
            let hint = hint(&call.name, OPERATORS.iter().map(|(name, _)| *name));
            return Err(Mistake::new(call.name_span, format!("there is no operator \"{}\"{hint}", call.name)));
        };
        if call.distinct && !matches!(call.name.as_str(), "COUNT") {
            return Err(Mistake::new(call.name_span, format!("DISTINCT has no meaning in {}", call.name)));
        }
        if !call.order_by.is_empty() && !matches!(call.name.as_str(), "PU_FIRST" | "PU_LAST") {
            return Err(Mistake::new(call.name_span, format!("ORDER BY has no meaning in {}", call.name)));
        }
        if let Some(node) = self.row_call(call, operator, span)? {
            return Ok(node);
        }
        match operator {
            Operator::Scalar { function, takes, gives } => self.scalar(call, function, takes, gives, span),
            Operator::DateDiff => {
                let [unit, from, to] = exactly(call, "a unit and two dates")?;
                let unit = unit_of(unit)?;
                let mut dates = Vec::new();
                for date in [from, to] {
                    let node = self.value_of(date)?;
                    dates.push(wanted(node, Want::Date)?);
                }
                self.apply(Function::Between(unit), dates, Type::Float, span)
            }
            Operator::Now => {
                let [] = exactly(call, "nothing")?;
                Ok(self.node(Op::Now, Yield::Of(Type::Date), Grain::Constant, span))
            }
            Operator::ClockPart(part) => {
                let [] = exactly(call, "nothing, or a time zone such as 'Europe/Berlin'")?;
                let yields = if call.name == "TODAY" { Type::Date } else { Type::Int };
                Ok(self.node(Op::ClockPart(part), Yield::Of(yields), Grain::Constant, span))
            }
            Operator::PullUp(aggregation) => self.pull_up(call, aggregation, span),
            Operator::Aggregate(aggregation) => self.aggregate(call, aggregation, span),
            Operator::CountTable => {
                let [table] = exactly(call, "a table")?;
                let table = self.table_of(table)?;
                self.add_aggregate(call, Aggregate::Rows(table), Type::Int, span)
            }
            Operator::DomainTable | Operator::Constant => {
                Err(Mistake::new(span, format!("{} can stand only as the first argument of a PU operator", call.name)))
            }
            Operator::Bind => {
                let [table, value] = exactly(call, "a table and a value")?;
                let grain = Grain::Table(self.table_of(table)?);
                let value = self.value_of(value)?;
                if !self.program.reaches(grain, value.grain) {
                    let (own, other) = (self.program.name(value.grain), self.program.name(grain));
                    return Err(Mistake::new(span, format!("{own} is not on the 1-side of {other}")));
                }
                let yields = value.yields;
                Ok(self.node(Op::Bind(Box::new(value)), yields, grain, span))
            }
            Operator::Neighbour(direction) => {
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
                self.process(Process::Neighbour { value, by: steps * direction }, yields, true, span)
            }
            Operator::Position(reverse) => {
                let (value, rest) = self.event_value(call)?;
                no_more(rest)?;
                self.process(Process::Position { value, reverse }, Yield::Of(Type::Int), true, span)
            }
            Operator::Variant => {
                let (value, rest) = self.event_value(call)?;
                no_more(rest)?;
                let value = wanted(value, Want::Text)?;
                self.process(Process::Variant(value), Yield::Of(Type::String), false, span)
            }
            Operator::MatchActivities => self.match_activities(call, span),
            Operator::CalcRework => {
                let filter = match &call.arguments[..] {
                    [] => None,
                    [filter] => {
                        let filter = self.truth_of(filter)?;
                        self.on_events(&filter)?;
                        Some(filter)
                    }
                    [_, more, ..] => return Err(Mistake::new(more.span, "expected at most one argument")),
                };
                self.process(Process::Rework(filter), Yield::Of(Type::Int), false, span)
            }
            Operator::CalcThroughput => self.throughput(call, span),
            Operator::RemapTimestamps => {
                let [time, unit] = exactly(call, "a date and a unit")?;
                let time = self.value_of(time)?;
                let time = wanted(time, Want::Date)?;
                let unit = unit_of(unit)?;
                self.apply(Function::Remap(unit), vec![time], Type::Int, span)
            }
            Operator::Kpi => {
                let (name, expr) = self.kpi(call, span)?;
                self.expanding(&format!("KPI \"{name}\""), span, |checker| checker.value_of(&expr))
            }
            Operator::Rowwise(_) => unreachable!("answered above"),
        }
    }

    pub(super) fn scalar(
        &mut self,
        call: &Call,
        function: Function,
        takes: Takes,
        gives: Gives,
        span: Span,
    ) -> Checked<Node> {
        let mut nodes = Vec::new();
        for argument in &call.arguments {
            nodes.push(self.value_of(argument)?);
        }
        let (nodes, own) = match takes {
            Takes::Exactly(wants) => {
                if nodes.len() != wants.len() {
                    let detail = format!("{} takes {} arguments, found {}", call.name, wants.len(), nodes.len());
                    return Err(Mistake::new(span, detail));
                }
                let mut fitting = Vec::new();
                for (node, want) in nodes.into_iter().zip(wants) {
                    fitting.push(wanted(node, *want)?);
                }
                let own = type_of(&fitting[0]);
                (fitting, own)
            }
            Takes::Alike if nodes.is_empty() => {
                return Err(Mistake::new(span, format!("{} takes at least one argument", call.name)));
            }
            Takes::Alike if function == Function::Concat => return self.concat(nodes, span),
            Takes::Alike => self.alike(nodes, span)?,
            Takes::Anything => {
                if nodes.len() != 1 {
                    return Err(Mistake::new(span, format!("{} takes 1 argument, found {}", call.name, nodes.len())));
                }
                self.alike(nodes, span)?
            }
        };
        let result = match gives {
            Gives::Always(result) => result,
            Gives::Same => own,
        };
        self.apply(function, nodes, result, span)
    }

    pub(super) fn table_of(&self, expr: &Expr) -> Checked<usize> {
        let ExprKind::Name { name, .. } = &expr.kind else {
            return Err(Mistake::new(expr.span, "expected a table, as in \"TABLE\""));
        };
        self.program.catalog.table(name).ok_or_else(|| {
            let known = self.program.catalog.tables.iter().map(|table| table.name.as_str());
            Mistake::new(expr.span, format!("there is no table \"{name}\"{}", hint(name, known)))
        })
    }

    pub(super) fn pull_up(&mut self, call: &Call, aggregation: Option<Aggregation>, span: Span) -> Checked<Node> {
        let [target, value, rest @ ..] = &call.arguments[..] else {
            return Err(Mistake::new(span, format!("{} takes a target table and a column", call.name)));
        };
        let target_grain = self.pull_up_target(target)?;
        let value = self.value_of(value)?;
        let (aggregation, rest) = self.fraction(call, aggregation, rest)?;
        let filter = match rest {
            [] => None,
            [filter] => Some(self.truth_of(filter)?),
            [_, more, ..] => return Err(Mistake::new(more.span, "expected the end of the arguments")),
        };
        let mut order = Vec::new();
        for by in &call.order_by {
            order.push((self.value_of(&by.key)?, by.descending));
        }
        let (value, yields) = self.aggregated(aggregation, value, span)?;
        let mut parts = vec![&value];
        parts.extend(&filter);
        parts.extend(order.iter().map(|(key, _)| key));
        let from = self.common_of(&parts)?;
        if !self.program.reaches(from, target_grain) {
            let (from, target_name) = (self.program.name(from), self.program.name(target_grain));
            let detail = format!(
                "{target_name} is not on the 1-side of {from}; bring the column to a table in between with BIND"
            );
            return Err(Mistake::new(target.span, detail));
        }
        let op = Op::PullUp(Box::new(PullUp { aggregation, value, filter, order, from }));
        Ok(self.node(op, Yield::Of(yields), target_grain, span))
    }

    pub(super) fn pull_up_target(&mut self, target: &Expr) -> Checked<Grain> {
        let ExprKind::Call(call) = &target.kind else { return self.table_of(target).map(Grain::Table) };
        match call.name.as_str() {
            "CONSTANT" => {
                let [] = exactly(call, "nothing")?;
                Ok(Grain::Constant)
            }
            "DOMAIN_TABLE" => {
                let text = target.to_string();
                if let Some(known) = self.program.domains.iter().position(|domain| domain.text == text) {
                    return Ok(Grain::Domain(known));
                }
                let mut keys = Vec::new();
                for argument in &call.arguments {
                    keys.push(self.value_of(argument)?);
                }
                let grain = self.common_of(&keys.iter().collect::<Vec<_>>())?;
                let Grain::Table(source) = grain else {
                    return Err(Mistake::new(target.span, "DOMAIN_TABLE needs columns of a table"));
                };
                self.program.domains.push(Domain { source, keys, text });
                Ok(Grain::Domain(self.program.domains.len() - 1))
            }
            _ => Err(Mistake::new(target.span, "expected a table, DOMAIN_TABLE(…) or CONSTANT()")),
        }
    }

    /// Reads the fraction of a quantile from the arguments.
    pub(super) fn fraction<'e>(
        &mut self,
        call: &Call,
        aggregation: Option<Aggregation>,
        rest: &'e [Expr],
    ) -> Checked<(Aggregation, &'e [Expr])> {
        if let Some(aggregation) = aggregation {
            return Ok((aggregation, rest));
        }
        let [fraction, rest @ ..] = rest else {
            return Err(Mistake::new(call.name_span, format!("{} needs a fraction such as 0.95", call.name)));
        };
        let node = self.value_of(fraction)?;
        match constant_number(&node).filter(|fraction| (0.0..=1.0).contains(fraction)) {
            Some(fraction) => Ok((Aggregation::Quantile(fraction), rest)),
            None => Err(Mistake::new(fraction.span, "expected a constant from 0 to 1")),
        }
    }

    /// Checks what is aggregated and tells what comes out.
    pub(super) fn aggregated(&mut self, aggregation: Aggregation, value: Node, span: Span) -> Checked<(Node, Type)> {
        let value = match aggregation {
            Aggregation::Sum | Aggregation::Avg => wanted(value, Want::Number)?,
            _ => self.widen(value.clone(), type_of(&value), span)?,
        };
        let own = type_of(&value);
        let result = match aggregation {
            Aggregation::Count | Aggregation::CountDistinct => Type::Int,
            Aggregation::Avg => Type::Float,
            Aggregation::Quantile(_) if own == Type::String => {
                return Err(Mistake::new(value.span, "expected a number or a DATE, found a STRING"));
            }
            _ => own,
        };
        Ok((value, result))
    }

    pub(super) fn aggregate(&mut self, call: &Call, aggregation: Option<Aggregation>, span: Span) -> Checked<Node> {
        let [value, rest @ ..] = &call.arguments[..] else {
            return Err(Mistake::new(span, format!("{} takes a column", call.name)));
        };
        let grouping = self.grouping.as_mut().filter(|grouping| !grouping.inside_aggregate);
        let Some(grouping) = grouping else { return Err(misplaced(call)) };
        grouping.inside_aggregate = true;
        let value = self.value_of(value);
        if let Some(grouping) = &mut self.grouping {
            grouping.inside_aggregate = false;
        }
        let value = value?;
        let (aggregation, rest) = self.fraction(call, aggregation, rest)?;
        no_more(rest)?;
        let aggregation = if call.distinct { Aggregation::CountDistinct } else { aggregation };
        let (value, result) = self.aggregated(aggregation, value, span)?;
        self.add_aggregate(call, Aggregate::Of(aggregation, value), result, span)
    }

    pub(super) fn add_aggregate(
        &mut self,
        call: &Call,
        aggregate: Aggregate,
        result: Type,
        span: Span,
    ) -> Checked<Node> {
        let grouping = self.grouping.as_mut().filter(|grouping| !grouping.inside_aggregate);
        let Some(grouping) = grouping else { return Err(misplaced(call)) };
        grouping.aggregates.push(aggregate);
        let place = grouping.aggregates.len() - 1;
        Ok(self.node(Op::Aggregate(place), Yield::Of(result), Grain::Group, span))
    }

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
            for item in items {
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
        let ExprKind::Range(from, to) = &range.kind else {
            return Err(Mistake::new(range.span, "expected a range such as CASE_START TO CASE_END"));
        };
        let (from, to) = (self.boundary(from)?, self.boundary(to)?);
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

    pub(super) fn boundary(&mut self, expr: &Expr) -> Checked<Boundary> {
        match &expr.kind {
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

    pub(super) fn kpi(&self, call: &Call, span: Span) -> Checked<(String, Expr)> {
        let [id] = exactly(call, "the id of a KPI, as in KPI(\"ID\")")?;
        let (ExprKind::Name { name, .. } | ExprKind::Text(name)) = &id.kind else {
            return Err(Mistake::new(id.span, "expected the id of a KPI, as in KPI(\"ID\")"));
        };
        let known = &self.vocabulary.kpis;
        let text = known.get(&name.to_uppercase()).ok_or_else(|| {
            Mistake::new(id.span, format!("there is no KPI \"{name}\"{}", hint(name, known.keys().map(String::as_str))))
        })?;
        let expr =
            parse::expression(text).map_err(|faults| Mistake::new(span, format!("in KPI \"{name}\": {faults}")))?;
        Ok((name.clone(), expr))
    }

    /// Tells whether an expression contains a standard aggregate.
    pub(super) fn has_aggregate(&self, expr: &Expr, depth: usize) -> bool {
        let any = |parts: &[&Expr]| parts.iter().any(|part| self.has_aggregate(part, depth));
        match &expr.kind {
            ExprKind::Call(call) => match operators::operator(&call.name) {
                Some(Operator::Aggregate(_) | Operator::CountTable) => true,
                Some(Operator::Kpi) if depth < EXPANSIONS_MAX => {
                    self.kpi(call, expr.span).is_ok_and(|(_, expr)| self.has_aggregate(&expr, depth + 1))
                }
                _ => call.arguments.iter().any(|argument| self.has_aggregate(argument, depth)),
            },
            ExprKind::Variable(name) if depth < EXPANSIONS_MAX => {
                self.variable(name, expr.span).is_ok_and(|value| self.has_aggregate(&value, depth + 1))
            }
            ExprKind::Negate(value) | ExprKind::Not(value) | ExprKind::IsNull { value, .. } => any(&[value]),
            ExprKind::Arithmetic(_, left, right)
            | ExprKind::Compare(_, left, right)
            | ExprKind::And(left, right)
            | ExprKind::Or(left, right)
            | ExprKind::Like { value: left, pattern: right, .. }
            | ExprKind::Range(left, right) => any(&[left, right]),
            ExprKind::Between { value, low, high, .. } => any(&[value, low, high]),
            ExprKind::Bracket { items, .. } => items.iter().any(|item| self.has_aggregate(item, depth)),
            ExprKind::In { value, list, .. } | ExprKind::InLike { value, list, .. } => {
                any(&[value]) || list.iter().any(|item| self.has_aggregate(item, depth))
            }
            ExprKind::Case { branches, otherwise } => {
                branches.iter().any(|(condition, value)| any(&[condition, value]))
                    || otherwise.as_deref().is_some_and(|otherwise| self.has_aggregate(otherwise, depth))
            }
            _ => false,
        }
    }
}

pub(super) fn exactly<'e, const N: usize>(call: &'e Call, what: &str) -> Checked<[&'e Expr; N]> {
    let arguments: Vec<&Expr> = call.arguments.iter().collect();
    let found = arguments.len();
    <[&Expr; N]>::try_from(arguments)
        .map_err(|_| Mistake::new(call.name_span, format!("{} takes {what}, found {found} arguments", call.name)))
}

pub(super) fn unit_of(expr: &Expr) -> Checked<Unit> {
    let ExprKind::Name { name: word, quoted: false } = &expr.kind else {
        return Err(Mistake::new(expr.span, "expected a unit such as HOURS"));
    };
    let names = ["MILLISECONDS", "SECONDS", "MINUTES", "HOURS", "DAYS"];
    operators::unit(word)
        .ok_or_else(|| Mistake::new(expr.span, format!("\"{word}\" is no unit of time{}", hint(word, names))))
}

fn misplaced(call: &Call) -> Mistake {
    let detail = format!(
        "{} can stand only in a column of the result and not inside another aggregate; use PU_{} instead",
        call.name, call.name
    );
    Mistake::new(call.name_span, detail)
}

pub(super) fn no_more(rest: &[Expr]) -> Checked<()> {
    match rest {
        [] => Ok(()),
        [more, ..] => Err(Mistake::new(more.span, "expected the end of the arguments")),
    }
}

fn constant_number(node: &Node) -> Option<f64> {
    if let Op::Apply(Function::Divide, parts) = &node.op {
        return Some(constant_number(&parts[0])? / constant_number(&parts[1])?);
    }
    match constant_value(node)? {
        Value::Int(number) => Some(number as f64),
        Value::Float(number) => Some(number),
        _ => None,
    }
}
