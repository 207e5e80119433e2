//! What is decided before anything is evaluated: KPIs and their arguments,
//! guards, lists in variables, static conditions.

use std::cmp::Ordering;

use super::super::operators::{self, Operator, hint};
use super::super::plan::{Node, Op, Yield};
use super::super::syntax::{Call, Expr, ExprKind, Span, StaticFilter};
use super::super::{Faults, Mistake, bind, parse, place_all};
use super::values::constant_value;
use super::{Checked, Checker, EXPANSIONS_MAX};
use crate::value::{Type, Value};

/// How many names may be expanded in all, nested or not.
const EXPANDED_MAX: usize = 50_000;

/// A KPI with its arguments in their places.
pub(super) struct BoundKpi {
    pub(super) name: String,
    /// Its text, to which the places in `expr` belong.
    pub(super) text: String,
    pub(super) expr: Expr,
}

impl Checker<'_> {
    /// Cuts out what guards leave out; places stay what they were.
    pub(super) fn unguarded(&self, text: &str) -> Checked<String> {
        bind::without_guards(text, |name, span| self.variable_text(name, span).map(str::to_owned))
    }

    pub(super) fn guarded_text(&self, text: &str) -> Result<String, Faults> {
        self.unguarded(text).map_err(|mistake| place_all(vec![mistake], text))
    }

    /// Parses the text that a name stands for; a fault in it is told at the
    /// name.
    pub(super) fn meaning(&self, name: &str, text: &str, span: Span) -> Checked<(String, Expr)> {
        let told = |faults: Faults| Mistake::new(span, format!("in {name}: {faults}"));
        let text = self.guarded_text(text).map_err(told)?;
        let expr = parse::expression(&text).map_err(told)?;
        Ok((text, expr))
    }

    pub(super) fn kpi(&self, call: &Call, span: Span) -> Checked<BoundKpi> {
        let wanted = "expected the id of a KPI, as in KPI(\"ID\")";
        let [id, given @ ..] = &call.arguments[..] else { return Err(Mistake::new(call.name_span, wanted)) };
        let (ExprKind::Name { name, .. } | ExprKind::Text(name)) = &id.kind else {
            return Err(Mistake::new(id.span, wanted));
        };
        let known = &self.vocabulary.kpis;
        let text = known.get(&name.to_uppercase()).ok_or_else(|| {
            Mistake::new(id.span, format!("there is no KPI \"{name}\"{}", hint(name, known.keys().map(String::as_str))))
        })?;
        let (text, mut expr) = self.meaning(&format!("KPI \"{name}\""), text, span)?;
        let defaults = self.vocabulary.kpi_defaults.get(&name.to_uppercase()).map_or(&[][..], Vec::as_slice);
        let needed = bind::parameters(&expr) as usize;
        let takes = needed.max(defaults.len());
        if let Some(more) = given.get(takes) {
            let detail = format!("KPI \"{name}\" takes {takes} arguments, found {}", given.len());
            return Err(Mistake::new(more.span, detail));
        }
        let mut arguments = given.to_vec();
        for default in defaults.iter().skip(given.len()) {
            let Some(default) = default else { break };
            arguments.push(self.default_argument(default, span));
        }
        if arguments.len() < needed {
            let missing = arguments.len() + 1;
            return Err(Mistake::new(span, format!("KPI \"{name}\" needs an argument for {{p{missing}}}")));
        }
        bind::substitute(&mut expr, &arguments)
            .map_err(|mistake| Mistake::new(span, format!("in KPI \"{name}\": {}", mistake.place(&text))))?;
        Ok(BoundKpi { name: name.clone(), text, expr })
    }

    /// Reads the default of a KPI's parameter: an expression or a table if it
    /// is one, else its text.
    fn default_argument(&self, text: &str, span: Span) -> Expr {
        match parse::expression(text) {
            Ok(Expr { kind: ExprKind::Name { name, .. }, .. }) if self.program.catalog.table(&name).is_some() => {
                Expr { kind: ExprKind::Name { name, quoted: true }, span }
            }
            _ => bound(text, span),
        }
    }

    /// Counts a name that is expanded.
    pub(super) fn count_expansion(&self, span: Span) -> Checked<()> {
        self.expanded.set(self.expanded.get() + 1);
        if self.expanded.get() > EXPANDED_MAX {
            return Err(Mistake::new(span, format!("more than {EXPANDED_MAX} names would have to be expanded")));
        }
        Ok(())
    }

    /// Tells whether an expression calls one of some operators, be it by way
    /// of a name.
    pub(super) fn has(&mut self, expr: &Expr, wanted: fn(Operator) -> bool, depth: usize) -> bool {
        if depth > EXPANSIONS_MAX {
            return false;
        }
        match &expr.kind {
            ExprKind::Call(call) => match operators::operator(&call.name) {
                Some(operator) if wanted(operator) => return true,
                Some(Operator::Kpi) if self.count_expansion(expr.span).is_ok() => {
                    return self.kpi(call, expr.span).is_ok_and(|kpi| self.has(&kpi.expr, wanted, depth + 1));
                }
                _ => {}
            },
            ExprKind::Variable(name) if self.count_expansion(expr.span).is_ok() => {
                return self.variable(name, expr.span).is_ok_and(|value| self.has(&value, wanted, depth + 1));
            }
            ExprKind::StaticCase { branches, otherwise } => {
                let chosen = self.static_branch(branches, otherwise.as_deref());
                return chosen.is_ok_and(|chosen| chosen.is_some_and(|chosen| self.has(chosen, wanted, depth)));
            }
            _ => {}
        }
        bind::children(expr).into_iter().any(|child| self.has(child, wanted, depth))
    }

    pub(super) fn has_aggregate(&mut self, expr: &Expr) -> bool {
        self.has(expr, |one| matches!(one, Operator::Aggregate(_) | Operator::CountTable | Operator::Global), 0)
    }

    /// Returns the value of the branch that is taken, if there is one.
    pub(super) fn static_branch<'e>(
        &mut self,
        branches: &'e [(Expr, Expr)],
        otherwise: Option<&'e Expr>,
    ) -> Checked<Option<&'e Expr>> {
        for (condition, value) in branches {
            if self.static_truth(condition)? {
                return Ok(Some(value));
            }
        }
        Ok(otherwise)
    }

    /// Returns the FILTERs that count.
    pub(super) fn static_filters<'e>(&mut self, statement: &'e StaticFilter) -> Checked<&'e [Expr]> {
        for (condition, filters) in &statement.branches {
            if self.static_truth(condition)? {
                return Ok(filters);
            }
        }
        Ok(&statement.otherwise)
    }

    fn static_truth(&mut self, condition: &Expr) -> Checked<bool> {
        let node = self.truth_of(condition)?;
        truth(&node).map(|decided| decided == Decided::True).ok_or_else(|| {
            let detail = "a static condition takes constants, variables, COLUMN_TYPE and ARGUMENT_COUNT only, \
                          because it is decided before any data is looked at";
            Mistake::new(condition.span, detail)
        })
    }

    pub(super) fn static_case(
        &mut self,
        branches: &[(Expr, Expr)],
        otherwise: Option<&Expr>,
        span: Span,
    ) -> Checked<Node> {
        match self.static_branch(branches, otherwise)? {
            Some(value) => self.any(value),
            None => Ok(self.constant(Value::Null, span)),
        }
    }

    pub(super) fn column_type(&mut self, call: &Call, span: Span) -> Checked<Node> {
        let [column] = &call.arguments[..] else {
            return Err(Mistake::new(call.name_span, "COLUMN_TYPE takes a column"));
        };
        let node = self.value_of(column)?;
        let name = match node.yields {
            Yield::Of(own) => own,
            Yield::Truth | Yield::Nothing => Type::String,
        };
        Ok(self.constant(Value::Text(name.to_string().into()), span))
    }

    pub(super) fn argument_count(&mut self, call: &Call, span: Span) -> Checked<Node> {
        let count = self.spliced(&call.arguments)?.len();
        Ok(self.constant(Value::Int(count as i64), span))
    }

    /// Puts the items of variables that hold a list in the place of the
    /// variables; one that holds nothing stands for no item.
    pub(super) fn spliced(&self, items: &[Expr]) -> Checked<Vec<Expr>> {
        let mut found = Vec::new();
        for item in items {
            let ExprKind::Variable(name) = &item.kind else {
                found.push(item.clone());
                continue;
            };
            let text = self.variable_text(name, item.span)?;
            if text.trim().is_empty() {
                continue;
            }
            match parse::expression(&format!("({text})")) {
                Ok(Expr { kind: ExprKind::Tuple(parts), .. }) => {
                    found.extend(parts.iter().map(|part| bind::at(part, item.span)));
                }
                // A single pair of REMAP_VALUES is an item too.
                Ok(pair) if matches!(pair.kind, ExprKind::Bracket { .. }) => found.push(bind::at(&pair, item.span)),
                _ => found.push(item.clone()),
            }
        }
        Ok(found)
    }

    /// Checks `VARIABLE(x)`, which says that its argument is a plain value.
    pub(super) fn plain_variable(&mut self, call: &Call) -> Checked<Node> {
        let [value] = &call.arguments[..] else {
            return Err(Mistake::new(call.name_span, "VARIABLE takes one value, as in VARIABLE('2026')"));
        };
        let node = self.value_of(value)?;
        if constant_value(&node).is_none() {
            return Err(Mistake::new(value.span, "VARIABLE takes a plain value, found an expression over data"));
        }
        Ok(node)
    }

    /// Fills variables into a name, as in `"<%= TABLE %>"."COLUMN"`.
    pub(super) fn fill_in_name(&self, name: &str, span: Span) -> Checked<String> {
        if name.contains("<%=") { self.fill_in(name, span) } else { Ok(name.to_owned()) }
    }
}

/// Reads the value of a variable or of a default: a number or an expression if
/// it is one, else its text.
pub(super) fn bound(text: &str, span: Span) -> Expr {
    let expr = parse::expression(text).ok();
    let expr = expr.filter(|expr| !matches!(expr.kind, ExprKind::Name { .. } | ExprKind::Tuple(_)));
    expr.map_or_else(|| Expr { kind: ExprKind::Text(text.to_owned()), span }, |expr| bind::at(&expr, span))
}

/// What a condition over constants comes to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Decided {
    True,
    False,
    Unknown,
}

impl From<Option<bool>> for Decided {
    fn from(truth: Option<bool>) -> Self {
        match truth {
            Some(true) => Decided::True,
            Some(false) => Decided::False,
            None => Decided::Unknown,
        }
    }
}

/// Decides a condition; `None` if it is not one over constants.
fn truth(node: &Node) -> Option<Decided> {
    use Decided::{False, True, Unknown};
    Some(match &node.op {
        Op::Compare(comparison, left, right) => {
            let (left, right) = (constant_value(left)?, constant_value(right)?);
            order(&left, &right).map(|order| comparison.holds(order)).into()
        }
        Op::In(value, list) => {
            let value = constant_value(value)?;
            let found = || list.iter().any(|item| order(item, &value).is_some_and(Ordering::is_eq));
            (value != Value::Null).then(found).into()
        }
        Op::IsNull(value) => Some(constant_value(value)? == Value::Null).into(),
        Op::Not(value) => match truth(value)? {
            True => False,
            False => True,
            Unknown => Unknown,
        },
        Op::And(left, right) => match (truth(left)?, truth(right)?) {
            (False, _) | (_, False) => False,
            (True, True) => True,
            _ => Unknown,
        },
        Op::Or(left, right) => match (truth(left)?, truth(right)?) {
            (True, _) | (_, True) => True,
            (False, False) => False,
            _ => Unknown,
        },
        _ => return None,
    })
}

fn order(left: &Value, right: &Value) -> Option<Ordering> {
    let number = |value: &Value| match value {
        Value::Int(number) => Some(*number as f64),
        Value::Float(number) => Some(*number),
        _ => None,
    };
    match (left, right) {
        (Value::Text(left), Value::Text(right)) => Some(left.cmp(right)),
        (Value::Int(left), Value::Int(right)) | (Value::Date(left), Value::Date(right)) => Some(left.cmp(right)),
        _ => number(left)?.partial_cmp(&number(right)?),
    }
}
