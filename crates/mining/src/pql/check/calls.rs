//! Operators with names, and what each of them takes.

use std::sync::Arc;

use super::super::Mistake;
use super::super::catalog::Path;
use super::super::operators::{self, Gives, OPERATORS, Operator, Role, Takes, Want, hint};
use super::super::plan::{
    Aggregate, Aggregation, Boundary, Domain, Function, Grain, Node, Op, Process, PullUp, Reduction, Unit, WindowKind,
    Yield,
};
use super::super::syntax::{Call, Expr, ExprKind, Span};
use super::values::{constant_value, wanted};
use super::{Checked, Checker, Place, type_of};
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
        if !call.order_by.is_empty() && !takes_order(operator) {
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
                    let ambiguous = self.are_ambiguous(value.grain, grain);
                    let how = if ambiguous { "on the 1-side in more than one way" } else { "not on the 1-side" };
                    let detail = format!(
                        "{own} is {how} of {other}; pull the value up with a PU operator, or bind it to a table in between first"
                    );
                    return Err(Mistake::new(span, detail));
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
            Operator::Position(counting, reverse) => self.position(call, counting, reverse, span),
            Operator::Variant => self.variant(call, span),
            Operator::Shortened => self.shortened(call, span),
            Operator::EdgeEnd(is_source) => self.edge_end(call, is_source, span),
            Operator::Crop(keeps_values) => self.crop(call, keeps_values, span),
            Operator::Role(role) => self.role_column(call, role, span),
            Operator::Conformance => self.conformance(call, span),
            Operator::Readable => self.readable(call, span),
            Operator::BpmnConforms => self.bpmn_conforms(call, span),
            Operator::OwnGrammar => Err(Mistake::new(span, format!("{} is not written like this", call.name))),
            Operator::MatchActivities => self.match_activities(call, span),
            Operator::CalcRework => self.rework(call, span),
            Operator::CalcThroughput => self.throughput(call, span),
            Operator::RemapTimestamps => {
                let [time, unit] = exactly(call, "a date and a unit")?;
                let time = self.value_of(time)?;
                let time = wanted(time, Want::Date)?;
                let unit = unit_of(unit)?;
                self.apply(Function::Remap(unit), vec![time], Type::Int, span)
            }
            Operator::Kpi => {
                let kpi = self.kpi(call, span)?;
                let name = format!("KPI \"{}\"", kpi.name);
                // Without parameters left it may be a condition as well.
                self.expanding(&name, Some(&kpi.text), span, |checker| checker.any(&kpi.expr))
            }
            Operator::Moving(aggregation) => self.moving(call, aggregation, span),
            Operator::Window(kind) => self.window(call, kind, span),
            Operator::Global => self.global(call, span),
            Operator::FilterToNull => self.filter_to_null(call, span),
            Operator::BindFilters => self.bind_filters(call, span),
            Operator::Lookup => self.lookup(call, span),
            Operator::ColumnType => self.column_type(call, span),
            Operator::ArgumentCount => self.argument_count(call, span),
            Operator::PlainVariable => self.plain_variable(call),
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
        if let ExprKind::Call(call) = &expr.kind
            && matches!(operators::operator(&call.name), Some(Operator::Role(Role::ActivityTable | Role::CaseTable)))
        {
            return self.role_table(call);
        }
        let name = match &expr.kind {
            ExprKind::Name { name, .. } => self.fill_in_name(name, expr.span)?,
            ExprKind::Variable(name) => self.variable_text(name, expr.span)?.trim().trim_matches('"').to_owned(),
            _ => return Err(Mistake::new(expr.span, "expected a table, as in \"TABLE\"")),
        };
        let name = &name;
        self.program.catalog.table(name).ok_or_else(|| {
            let known = self.program.catalog.tables.iter().map(|table| table.name.as_str());
            Mistake::new(expr.span, format!("there is no table \"{name}\"{}", hint(name, known)))
        })
    }

    pub(super) fn pull_up(&mut self, call: &Call, aggregation: Option<Aggregation>, span: Span) -> Checked<Node> {
        let arguments = match &call.arguments[..] {
            // Counting exactly is fast enough; nobody has to be content with less.
            [Expr { kind: ExprKind::Name { name, quoted: false }, .. }, rest @ ..]
                if call.name == "PU_COUNT_DISTINCT"
                    && ["APPROX", "EXACT"].iter().any(|word| name.eq_ignore_ascii_case(word)) =>
            {
                rest
            }
            all => all,
        };
        let [target, value, rest @ ..] = arguments else {
            return Err(Mistake::new(span, format!("{} takes a target table and a column", call.name)));
        };
        let target_grain = self.pull_up_target(target)?;
        let value = self.value_of(value)?;
        let (aggregation, delimiter, rest) = self.shaped(call, aggregation, rest)?;
        let filter = match rest {
            [] => None,
            [filter] => Some(self.truth_of(filter)?),
            [_, more, ..] => return Err(Mistake::new(more.span, "expected the end of the arguments")),
        };
        let order = self.order_keys(call)?;
        let (value, yields) = self.aggregated(aggregation, value, span)?;
        let mut parts = vec![&value];
        parts.extend(&filter);
        parts.extend(order.iter().map(|(key, _)| key));
        let from = self.common_of(&parts)?;
        if !self.program.reaches(from, target_grain) {
            let detail = self.not_one_side(target_grain, from);
            return Err(Mistake::new(target.span, detail));
        }
        // Rows of one case stand in its own order already.
        let meet = target_grain != Grain::Table(self.program.catalog.roles.case_table) && target_grain != from;
        let order = match aggregation.is_ordered() && meet {
            true => self.settled_order(from, order, true, span),
            false => order,
        };
        let op = Op::PullUp(Box::new(PullUp { aggregation, value, filter, order, delimiter, from }));
        Ok(self.node(op, Yield::Of(yields), target_grain, span))
    }

    /// Says why a grain cannot be reached from another, and what helps.
    pub(super) fn not_one_side(&self, one: Grain, many: Grain) -> String {
        let (one_name, many_name) = (self.program.name(one), self.program.name(many));
        if let (Grain::Table(one), Grain::Table(many)) = (one, many)
            && self.program.catalog.path(many, one) == Path::Ambiguous
        {
            return format!(
                "{many_name} is joined to {one_name} in more than one way; go over one table in between with BIND"
            );
        }
        if self.program.reaches(one, many) {
            return format!(
                "{one_name} is not on the 1-side of {many_name} but on its N-side: there each row has one value \
                 already, so use the column itself"
            );
        }
        format!("{one_name} is not on the 1-side of {many_name}; bring the column to a table in between with BIND")
    }

    pub(super) fn pull_up_target(&mut self, target: &Expr) -> Checked<Grain> {
        let ExprKind::Call(call) = &target.kind else { return self.table_of(target).map(Grain::Table) };
        match call.name.as_str() {
            "ACTIVITY_TABLE" | "CASE_TABLE" => self.table_of(target).map(Grain::Table),
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
                let source = self.common_of(&keys.iter().collect::<Vec<_>>())?;
                if !matches!(source, Grain::Table(_) | Grain::Edges) {
                    return Err(Mistake::new(target.span, "DOMAIN_TABLE needs columns of a table"));
                }
                self.program.domains.push(Domain { source, keys, text });
                Ok(Grain::Domain(self.program.domains.len() - 1))
            }
            _ => Err(Mistake::new(target.span, "expected a table, DOMAIN_TABLE(…) or CONSTANT()")),
        }
    }

    /// Reads what shapes an aggregation from the arguments behind its value: the
    /// fraction of a quantile, the percents of a trimmed mean, a delimiter.
    pub(super) fn shaped<'e>(
        &mut self,
        call: &Call,
        aggregation: Option<Aggregation>,
        rest: &'e [Expr],
    ) -> Checked<(Aggregation, Arc<str>, &'e [Expr])> {
        let nothing: Arc<str> = Arc::from("");
        match aggregation {
            None | Some(Aggregation::QuantileLinear(_)) => {
                let [fraction, rest @ ..] = rest else {
                    return Err(Mistake::new(call.name_span, format!("{} needs a fraction such as 0.95", call.name)));
                };
                let node = self.value_of(fraction)?;
                let number = constant_number(&node).filter(|fraction| (0.0..=1.0).contains(fraction));
                let number = number.ok_or_else(|| Mistake::new(fraction.span, "expected a constant from 0 to 1"))?;
                let linear = aggregation.is_some();
                let shaped = if linear { Aggregation::QuantileLinear(number) } else { Aggregation::Quantile(number) };
                Ok((shaped, nothing, rest))
            }
            Some(Aggregation::TrimmedMean(low, high)) => {
                // Moving ones have offsets there.
                let most = if matches!(operators::operator(&call.name), Some(Operator::Moving(_))) { 0 } else { 2 };
                let mut percents = [low, high];
                let mut left = rest;
                for percent in percents.iter_mut().take(most) {
                    let [first, behind @ ..] = left else { break };
                    let node = self.any(first)?;
                    if node.yields == Yield::Truth {
                        break;
                    }
                    let number = constant_number(&node).filter(|percent| (0.0..=100.0).contains(percent));
                    *percent = number
                        .ok_or_else(|| Mistake::new(first.span, "expected a constant percentage from 0 to 100"))?;
                    left = behind;
                }
                Ok((Aggregation::TrimmedMean(percents[0], percents[1]), nothing, left))
            }
            Some(Aggregation::StringAgg) => {
                let [delimiter, rest @ ..] = rest else {
                    return Err(Mistake::new(call.name_span, format!("{} needs a delimiter such as ', '", call.name)));
                };
                match self.value_of(delimiter)?.op {
                    Op::Constant(Value::Text(text)) => Ok((Aggregation::StringAgg, text, rest)),
                    _ => Err(Mistake::new(delimiter.span, "expected a constant delimiter such as ', '")),
                }
            }
            Some(aggregation) => Ok((aggregation, nothing, rest)),
        }
    }

    /// Checks what is aggregated and tells what comes out.
    pub(super) fn aggregated(&mut self, aggregation: Aggregation, value: Node, span: Span) -> Checked<(Node, Type)> {
        let value = match aggregation {
            Aggregation::Sum
            | Aggregation::Avg
            | Aggregation::Stdev
            | Aggregation::Var
            | Aggregation::Product
            | Aggregation::TrimmedMean(..) => wanted(value, Want::Number)?,
            Aggregation::StringAgg => wanted(value, Want::Text)?,
            _ => self.widen(value.clone(), type_of(&value), span)?,
        };
        let own = type_of(&value);
        if own == Type::String && matches!(aggregation, Aggregation::Quantile(_) | Aggregation::QuantileLinear(_)) {
            return Err(Mistake::new(value.span, "expected a number or a DATE, found a STRING"));
        }
        Ok((value, aggregation.result(own)))
    }

    pub(super) fn aggregate(&mut self, call: &Call, aggregation: Option<Aggregation>, span: Span) -> Checked<Node> {
        let [value, rest @ ..] = &call.arguments[..] else {
            return Err(Mistake::new(span, format!("{} takes a column", call.name)));
        };
        let free = self.grouping.as_mut().filter(|grouping| !grouping.inside_aggregate);
        let Some(grouping) = free else { return Err(self.misplaced(call)) };
        grouping.inside_aggregate = true;
        let parts = self.value_of(value).and_then(|value| Ok((value, self.order_keys(call)?)));
        if let Some(grouping) = &mut self.grouping {
            grouping.inside_aggregate = false;
        }
        let (value, order) = parts?;
        let (aggregation, delimiter, rest) = self.shaped(call, aggregation, rest)?;
        no_more(rest)?;
        let aggregation = if call.distinct { Aggregation::CountDistinct } else { aggregation };
        let (value, result) = self.aggregated(aggregation, value, span)?;
        let order = match aggregation.is_ordered() {
            true => self.settled_order(value.grain, order, false, span),
            false => order,
        };
        let reduction = Reduction { aggregation, value, order, delimiter };
        self.add_aggregate(call, Aggregate::Of(reduction), result, span)
    }

    pub(super) fn add_aggregate(
        &mut self,
        call: &Call,
        aggregate: Aggregate,
        result: Type,
        span: Span,
    ) -> Checked<Node> {
        let free = self.grouping.as_mut().filter(|grouping| !grouping.inside_aggregate);
        let Some(grouping) = free else { return Err(self.misplaced(call)) };
        grouping.aggregates.push(aggregate);
        let place = grouping.aggregates.len() - 1;
        Ok(self.node(Op::Aggregate(place), Yield::Of(result), Grain::Group, span))
    }

    /// Says that an aggregate cannot stand here, and what can.
    pub(super) fn misplaced(&self, call: &Call) -> Mistake {
        let pull_up = format!("PU_{}", call.name);
        let instead = match call.name.as_str() {
            "COUNT_TABLE" => "; use PU_COUNT(TABLE, …) instead".to_owned(),
            "GLOBAL" => "; use a PU operator with CONSTANT() instead".to_owned(),
            _ if call.distinct => "; use PU_COUNT_DISTINCT(TABLE, …) instead".to_owned(),
            _ if operators::operator(&pull_up).is_some() => {
                format!("; use {pull_up}(TABLE, …), or {pull_up}(CONSTANT(), …) for one value over all rows, instead")
            }
            _ => String::new(),
        };
        let detail = match self.place {
            Place::Filter | Place::Condition => {
                format!("{} cannot stand in a FILTER, which is decided row by row{instead}", call.name)
            }
            Place::Value | Place::Result => format!(
                "{} can stand only in a column of the result and not inside another aggregate{instead}",
                call.name
            ),
        };
        Mistake::new(call.name_span, detail)
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

fn takes_order(operator: Operator) -> bool {
    match operator {
        Operator::PullUp(Some(aggregation)) | Operator::Aggregate(Some(aggregation)) => aggregation.is_ordered(),
        Operator::Window(kind) => kind != WindowKind::ZScore,
        _ => false,
    }
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
