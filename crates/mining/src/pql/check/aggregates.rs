//! Operators that look beyond one row and are no pull-ups: windows, moving and
//! global aggregates, what FILTERs leave, lookups.

use super::super::Mistake;
use super::super::operators::Operator;
use super::super::operators::Want;
use super::super::plan::{Aggregation, Global, Grain, Lookup, Moving, Node, Op, Window, WindowKind, Yield};
use super::super::syntax::{Call, Comparison, Expr, ExprKind, Span};
use super::values::{constant_value, wanted};
use super::{Checked, Checker, Grouping, Place, type_of};
use crate::value::{Type, Value};

/// How many rows a window may span.
const WINDOW_MAX: i64 = 1_000;

/// What is known of the rows of the result while its columns are checked.
#[derive(Default)]
pub(super) struct ResultRows {
    /// The common table, once it is known.
    pub(super) grain: Option<Grain>,
    pub(super) moving: Vec<Moving>,
}

impl Checker<'_> {
    /// Tells whether an expression has a moving aggregate.
    pub(super) fn has_moving(&mut self, expr: &Expr) -> bool {
        self.has(expr, |one| matches!(one, Operator::Moving(_)), 0)
    }

    /// Checks `MOVING_…(value, start, end)`.
    pub(super) fn moving(&mut self, call: &Call, aggregation: Aggregation, span: Span) -> Checked<Node> {
        let [value, rest @ ..] = &call.arguments[..] else {
            let detail = format!("{} takes a value and two offsets, as in {}(…, -1, 0)", call.name, call.name);
            return Err(Mistake::new(span, detail));
        };
        let is_inside = self.grouping.as_ref().is_some_and(|grouping| grouping.inside_aggregate);
        let Some(rows) = self.result_rows.take().filter(|_| !is_inside) else {
            let detail = format!("{} can stand only in a column of the result: it goes over its rows", call.name);
            return Err(Mistake::new(call.name_span, detail));
        };
        // Inside of itself it has no rows to go over.
        let value = self.value_of(value);
        self.result_rows = Some(rows);
        let (aggregation, _, rest) = self.shaped(call, Some(aggregation), rest)?;
        let (start, end) = self.offsets(call, rest)?;
        let (value, yields) = self.aggregated(aggregation, value?, span)?;
        let grouped = self.grouping.is_some();
        if grouped && !matches!(value.grain, Grain::Group | Grain::Constant) {
            let detail = format!(
                "in a grouped result {} goes over groups; aggregate its value, as in {}(SUM(…), …)",
                call.name, call.name
            );
            return Err(Mistake::new(value.span, detail));
        }
        let rows = self.result_rows.get_or_insert_default();
        let grain = if grouped { Grain::Group } else { rows.grain.unwrap_or(value.grain) };
        rows.moving.push(Moving { aggregation, value, start, end });
        let place = rows.moving.len() - 1;
        Ok(self.node(Op::Moving(place), Yield::Of(yields), grain, span))
    }

    /// Reads two whole numbers, the first not above the second.
    fn offsets(&mut self, call: &Call, offsets: &[Expr]) -> Checked<(i64, i64)> {
        let [start, end] = offsets else {
            let detail = format!("{} takes two offsets, such as -1 and 0, found {}", call.name, offsets.len());
            return Err(Mistake::new(call.name_span, detail));
        };
        let mut numbers = [0; 2];
        for (number, offset) in numbers.iter_mut().zip([start, end]) {
            let node = self.value_of(offset)?;
            *number = match constant_value(&node) {
                Some(Value::Int(number)) => number,
                _ => return Err(Mistake::new(offset.span, "expected a constant number of rows, such as -1")),
            };
        }
        let [from, to] = numbers;
        if from > to {
            return Err(Mistake::new(start.span, format!("the window begins at {from}, behind its end at {to}")));
        }
        if to.saturating_sub(from) >= WINDOW_MAX {
            return Err(Mistake::new(start.span, format!("a window spans at most {WINDOW_MAX} rows")));
        }
        Ok((from, to))
    }

    /// Checks `INDEX_ORDER` and its kin.
    pub(super) fn window(&mut self, call: &Call, kind: WindowKind, span: Span) -> Checked<Node> {
        let mut partition = Vec::new();
        let mut plain = Vec::new();
        for argument in &call.arguments {
            let ExprKind::PartitionBy(keys) = &argument.kind else {
                plain.push(argument.clone());
                continue;
            };
            for key in keys {
                partition.push(self.value_of(key)?);
            }
        }
        let [value, rest @ ..] = &plain[..] else {
            return Err(Mistake::new(span, format!("{} takes a column", call.name)));
        };
        let value = self.value_of(value)?;
        let (kind, rest) = match (kind, rest) {
            (WindowKind::Neighbour(direction), [steps, rest @ ..]) => match self.value_of(steps)?.op {
                Op::Constant(Value::Int(steps)) if steps > 0 => (WindowKind::Neighbour(steps * direction), rest),
                _ => return Err(Mistake::new(steps.span, "expected a whole number above 0")),
            },
            (WindowKind::Average(..), rest) => {
                let (from, to) = self.offsets(call, rest)?;
                (WindowKind::Average(from, to), &[][..])
            }
            (WindowKind::FillConstant, [how, rest @ ..]) => (filling(how)?, rest),
            (WindowKind::FillConstant, []) => {
                return Err(Mistake::new(span, format!("{} takes a column and CONSTANT or LINEAR", call.name)));
            }
            other => other,
        };
        if let [more, ..] = rest {
            return Err(Mistake::new(more.span, "expected ORDER BY, PARTITION BY or the end of the arguments"));
        }
        let (value, yields) = match kind {
            WindowKind::Index => (value, Type::Int),
            WindowKind::Neighbour(_) | WindowKind::FillConstant => {
                let own = type_of(&value);
                (self.widen(value, own, span)?, own)
            }
            WindowKind::RunningSum => {
                let value = wanted(value, Want::Number)?;
                let own = type_of(&value);
                (value, own)
            }
            WindowKind::Average(..) | WindowKind::ZScore | WindowKind::FillLinear => {
                (wanted(value, Want::Number)?, Type::Float)
            }
        };
        let order = self.order_keys(call)?;
        let mut parts = vec![&value];
        parts.extend(&partition);
        parts.extend(order.iter().map(|(key, _)| key));
        let grain = self.common_of(&parts)?;
        if grain == Grain::Group {
            let detail = format!(
                "{} goes over the rows of a table; over the rows of a result go MOVING_SUM and its kin",
                call.name
            );
            return Err(Mistake::new(span, detail));
        }
        let roles = &self.program.catalog.roles;
        let case_ids = [(roles.activity_table, roles.case_column), (roles.case_table, roles.case_table_column)];
        let is_case_id =
            |node: &Node| matches!(node.op, Op::Column { table, column } if case_ids.contains(&(table, column)));
        let order = match partition.iter().any(is_case_id) {
            // Only rows of one case see each other.
            true => order,
            false => self.settled_order(grain, order, false, span),
        };
        let op = Op::Window(Box::new(Window { kind, value, order, partition }));
        Ok(self.node(op, Yield::Of(yields), grain, span))
    }

    pub(super) fn order_keys(&mut self, call: &Call) -> Checked<Vec<(Node, bool)>> {
        let mut order = Vec::new();
        for by in &call.order_by {
            order.push((self.value_of(&by.key)?, by.descending));
        }
        Ok(order)
    }

    /// Completes an order in which rows of several cases may stand, so that it
    /// does not hang on the numbers that cases have in memory: events go by
    /// time unless something else is asked for, and what is equal by case id.
    /// Rows of other tables stand in the order of arrival.
    pub(super) fn settled_order(
        &mut self,
        from: Grain,
        mut order: Vec<(Node, bool)>,
        by_time: bool,
        span: Span,
    ) -> Vec<(Node, bool)> {
        let catalog = self.program.catalog.clone();
        let roles = &catalog.roles;
        let Grain::Table(table) = from else { return order };
        let mut columns = Vec::new();
        if table == roles.activity_table {
            if by_time && order.is_empty() {
                columns.push(roles.timestamp_column);
                columns.extend(roles.sorting_column);
            }
            columns.push(roles.case_column);
        } else if table == roles.case_table {
            columns.push(roles.case_table_column);
        }
        for column in columns {
            let yields = Yield::Of(catalog.tables[table].columns[column].1);
            order.push((self.node(Op::Column { table, column }, yields, from, span), false));
        }
        order
    }

    /// Checks `GLOBAL(aggregate)`: a result of its own, with one row.
    pub(super) fn global(&mut self, call: &Call, span: Span) -> Checked<Node> {
        let [inner] = &call.arguments[..] else {
            return Err(Mistake::new(span, "GLOBAL takes an aggregate, as in GLOBAL(SUM(…))"));
        };
        if self.place != Place::Result {
            return Err(self.misplaced(call));
        }
        let own = self.grouping.replace(Grouping::default());
        let rows = self.result_rows.take();
        let value = self.value_of(inner);
        self.result_rows = rows;
        let grouping = std::mem::replace(&mut self.grouping, own).unwrap_or_default();
        let value = value?;
        if grouping.aggregates.is_empty() || value.grain != Grain::Group {
            return Err(Mistake::new(inner.span, "GLOBAL takes an aggregate, as in GLOBAL(SUM(…))"));
        }
        let grain = self.common_table(Some(&[]), &grouping.aggregates, &[], &[])?;
        let mut conditions = Vec::new();
        for filter in self.filters.clone() {
            let way = self.way(&filter, grain).map_err(|detail| Mistake::new(span, detail))?;
            conditions.push((filter, way));
        }
        let yields = value.yields;
        let op = Op::Global(Box::new(Global { grain, conditions, aggregates: grouping.aggregates, value }));
        Ok(self.node(op, yields, Grain::Constant, span))
    }

    /// Checks `FILTER_TO_NULL(value)`.
    pub(super) fn filter_to_null(&mut self, call: &Call, span: Span) -> Checked<Node> {
        let [value] = &call.arguments[..] else {
            return Err(Mistake::new(span, format!("FILTER_TO_NULL takes a column, found {}", call.arguments.len())));
        };
        if self.place == Place::Condition {
            let detail = "FILTER_TO_NULL has a meaning only in a query, among whose FILTERs it stands; \
                          give a PU operator its condition as an argument instead";
            return Err(Mistake::new(span, detail));
        }
        let value = self.value_of(value)?;
        let mut conditions = Vec::new();
        for filter in self.filters.clone() {
            let way = self.way(&filter, value.grain).map_err(|detail| Mistake::new(span, detail))?;
            conditions.push((filter, way));
        }
        let (yields, grain) = (value.yields, value.grain);
        Ok(self.node(Op::FilterToNull(Box::new(value), conditions), yields, grain, span))
    }

    /// Checks `BIND_FILTERS(table, condition, …)`.
    pub(super) fn bind_filters(&mut self, call: &Call, span: Span) -> Checked<Node> {
        let [table, conditions @ ..] = &call.arguments[..] else {
            return Err(Mistake::new(span, "BIND_FILTERS takes a table and conditions"));
        };
        let grain = Grain::Table(self.table_of(table)?);
        let mut bound = Vec::new();
        for condition in conditions {
            let node = self.standing_truth(condition)?;
            let way = self.way(&node, grain).map_err(|detail| Mistake::new(condition.span, detail))?;
            bound.push((node, way));
        }
        if bound.is_empty() {
            return Err(Mistake::new(span, "BIND_FILTERS takes at least one condition"));
        }
        Ok(self.node(Op::BindFilters(bound), Yield::Truth, grain, span))
    }

    /// Checks `LOOKUP(table, value, (own key, other key), …)`.
    pub(super) fn lookup(&mut self, call: &Call, span: Span) -> Checked<Node> {
        let [table, value, pairs @ ..] = &call.arguments[..] else {
            let detail = "LOOKUP takes a table, a value and pairs of keys, as in \
                          LOOKUP(\"T\", \"S\".\"VALUE\", (\"T\".\"KEY\", \"S\".\"KEY\"))";
            return Err(Mistake::new(span, detail));
        };
        let grain = Grain::Table(self.table_of(table)?);
        let value = self.value_of(value)?;
        let Grain::Table(_) = value.grain else {
            return Err(Mistake::new(value.span, "LOOKUP takes a column of the other table"));
        };
        let mut keys = Vec::new();
        for pair in pairs {
            self.lookup_pairs(pair, grain, &value, &mut keys)?;
        }
        if keys.is_empty() {
            return Err(Mistake::new(
                span,
                "LOOKUP takes at least one pair of keys, as in (\"T\".\"KEY\", \"S\".\"KEY\")",
            ));
        }
        let own = type_of(&value);
        let value = self.widen(value, own, span)?;
        Ok(self.node(Op::Lookup(Box::new(Lookup { value, keys })), Yield::Of(own), grain, span))
    }

    /// Reads `(a, b)`, `(a = b)` or several of the latter with AND between.
    fn lookup_pairs(&mut self, pair: &Expr, grain: Grain, value: &Node, keys: &mut Vec<(Node, Node)>) -> Checked<()> {
        let (one, other) = match &pair.kind {
            ExprKind::And(left, right) => {
                self.lookup_pairs(left, grain, value, keys)?;
                return self.lookup_pairs(right, grain, value, keys);
            }
            ExprKind::Tuple(items) if items.len() == 2 => (&items[0], &items[1]),
            ExprKind::Compare(Comparison::Equal, left, right) => (&**left, &**right),
            _ => return Err(Mistake::new(pair.span, "expected two keys, as in (\"T\".\"KEY\", \"S\".\"KEY\")")),
        };
        let nodes = vec![self.value_of(one)?, self.value_of(other)?];
        let (nodes, _) = self.alike(nodes, pair.span)?;
        let [one, other] = <[Node; 2]>::try_from(nodes).expect("two went in");
        let fits = |own: &Node, theirs: &Node| {
            self.program.reaches(grain, own.grain) && self.program.reaches(value.grain, theirs.grain)
        };
        let pair = if fits(&one, &other) {
            (one, other)
        } else if fits(&other, &one) {
            (other, one)
        } else {
            let (own, theirs) = (self.program.name(grain), self.program.name(value.grain));
            return Err(Mistake::new(pair.span, format!("expected a key of {own} and one of {theirs}")));
        };
        keys.push(pair);
        Ok(())
    }
}

fn filling(how: &Expr) -> Checked<WindowKind> {
    if let ExprKind::Name { name, quoted: false } = &how.kind {
        match name.to_ascii_uppercase().as_str() {
            "CONSTANT" => return Ok(WindowKind::FillConstant),
            "LINEAR" => return Ok(WindowKind::FillLinear),
            _ => {}
        }
    }
    Err(Mistake::new(how.span, "expected CONSTANT or LINEAR"))
}
