//! Many values become one: pull-ups, and the aggregates of a result.

use std::sync::Arc;

use super::super::Mistake;
use super::super::catalog::Path;
use super::super::operators::{self, Operator, Want};
use super::super::plan::{Aggregate, Aggregation, Domain, Function, Grain, Node, Op, PullUp, Reduction, Yield};
use super::super::syntax::{Call, Expr, ExprKind, Span};
use super::calls::{exactly, no_more};
use super::values::{constant_value, wanted};
use super::{Checked, Checker, Place, type_of};
use crate::value::{Type, Value};

impl Checker<'_> {
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
