//! Operators with names, and what each of them takes.

use super::super::Mistake;
use super::super::operators::{self, Gives, OPERATORS, Operator, Role, Takes, Want, hint};
use super::super::plan::{Aggregate, Function, Grain, Node, Op, Unit, WindowKind, Yield};
use super::super::syntax::{Call, Expr, ExprKind, Span};
use super::values::wanted;
use super::{Checked, Checker, type_of};
use crate::value::Type;

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
            Operator::DateDiff => self.date_diff(call, span),
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
            Operator::Bind => self.bind(call, span),
            Operator::Neighbour(direction) => self.neighbour(call, direction, span),
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
            Operator::RemapTimestamps => self.whole_units(call, span),
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

    fn date_diff(&mut self, call: &Call, span: Span) -> Checked<Node> {
        let [unit, from, to] = exactly(call, "a unit and two dates")?;
        let unit = unit_of(unit)?;
        let dates = vec![self.wanted_value(from, Want::Date)?, self.wanted_value(to, Want::Date)?];
        self.apply(Function::Between(unit), dates, Type::Float, span)
    }

    /// Checks `REMAP_TIMESTAMPS(date, unit)`.
    fn whole_units(&mut self, call: &Call, span: Span) -> Checked<Node> {
        let [time, unit] = exactly(call, "a date and a unit")?;
        let time = self.wanted_value(time, Want::Date)?;
        self.apply(Function::Remap(unit_of(unit)?), vec![time], Type::Int, span)
    }

    fn bind(&mut self, call: &Call, span: Span) -> Checked<Node> {
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
