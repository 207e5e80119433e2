//! From a tree to a plan: names, types, grains.
//!
//! A [`Checker`] is used for all texts that belong together, such as the
//! identifier, the outputs and the filters of a trigger, so that they share
//! their DOMAIN_TABLEs. Every message names the place and, where a name is
//! unknown, the known one that is most like it.

mod values;
mod calls;
mod rows;
mod calendars;

use std::collections::HashMap;
use std::sync::Arc;

use super::catalog::{Catalog, Path};
use super::plan::{Aggregate, Function, Grain, Node, Op, Program, QueryPlan, Selection, Way, Yield};
use super::syntax::{Expr, ExprKind, Span};
use super::{Faults, Mistake, parse, place_all};
use crate::value::Type;

/// How often names may stand for other names before we believe in a circle.
const EXPANSIONS_MAX: usize = 20;

/// What a knowledge model adds to the words of a data model.
#[derive(Clone, Debug, Default)]
pub struct Vocabulary {
    /// Values of variables by id.
    pub variables: HashMap<String, String>,
    /// PQL of attributes by record and attribute, both in upper case.
    pub attributes: HashMap<(String, String), String>,
    /// PQL of KPIs by id in upper case.
    pub kpis: HashMap<String, String>,
}

/// Checks texts that belong together.
pub struct Checker<'a> {
    program: Program,
    vocabulary: &'a Vocabulary,
    next_id: u32,
    expansions: usize,
    grouping: Option<Grouping>,
}

/// What is known of groups while the columns of a grouped query are checked.
#[derive(Default)]
struct Grouping {
    keys: Vec<(Expr, Yield)>,
    aggregates: Vec<Aggregate>,
    inside_aggregate: bool,
}

type Checked<T> = Result<T, Mistake>;

impl<'a> Checker<'a> {
    /// Starts with a catalog and the words of a knowledge model.
    pub fn new(catalog: Arc<Catalog>, vocabulary: &'a Vocabulary) -> Self {
        let program = Program { catalog, domains: Vec::new() };
        Checker { program, vocabulary, next_id: 0, expansions: 0, grouping: None }
    }

    /// Returns what all checked nodes share.
    pub fn finish(self) -> Program {
        self.program
    }

    /// Returns what the nodes checked so far share.
    pub fn program(&self) -> &Program {
        &self.program
    }

    /// Checks an expression that has values.
    pub fn value(&mut self, text: &str) -> Result<Node, Faults> {
        let expr = parse::expression(text)?;
        self.value_of(&expr).map_err(|mistake| place_all(vec![mistake], text))
    }

    /// Checks a condition, with or without FILTER before it.
    pub fn condition(&mut self, text: &str) -> Result<Node, Faults> {
        let expr = parse::condition(text)?;
        self.truth_of(&expr).map_err(|mistake| place_all(vec![mistake], text))
    }

    /// Checks the name of a table.
    pub fn table(&mut self, text: &str) -> Result<usize, Faults> {
        let expr = parse::expression(text)?;
        self.table_of(&expr).map_err(|mistake| place_all(vec![mistake], text))
    }

    /// Brings a condition to a table.
    pub fn way(&self, condition: &Node, target: Grain) -> Result<Way, String> {
        if self.program.reaches(target, condition.grain) {
            return Ok(Way::Down);
        }
        if self.program.reaches(condition.grain, target) {
            return Ok(Way::Up);
        }
        let tables = 0..self.program.catalog.tables.len();
        let meeting = tables.filter(|table| {
            let table = Grain::Table(*table);
            self.program.reaches(condition.grain, table) && self.program.reaches(target, table)
        });
        let steps = |table: &usize| match condition.grain {
            Grain::Table(from) => match self.program.catalog.path(from, *table) {
                Path::Over(joins) => joins.len(),
                _ => usize::MAX,
            },
            _ => usize::MAX,
        };
        meeting.min_by_key(steps).map(Way::Over).ok_or_else(|| {
            format!("{} and {} are not joined", self.program.name(condition.grain), self.program.name(target))
        })
    }

    /// Checks a whole query.
    pub fn query(mut self, text: &str) -> Result<QueryPlan, Faults> {
        let query = parse::query(text)?;
        let mut mistakes = Vec::new();
        let mut filters = Vec::new();
        for filter in &query.filters {
            match self.truth_of(filter) {
                Ok(node) => filters.push(node),
                Err(mistake) => mistakes.push(mistake),
            }
        }
        let grouped = query.columns.iter().map(|column| &column.value).any(|value| self.has_aggregate(value, 0));
        let mut keys = Vec::new();
        if grouped {
            let mut grouping = Grouping::default();
            for column in &query.columns {
                if self.has_aggregate(&column.value, 0) {
                    continue;
                }
                match self.value_of(&column.value) {
                    Ok(node) => {
                        grouping.keys.push((column.value.clone(), node.yields));
                        keys.push(node);
                    }
                    Err(mistake) => mistakes.push(mistake),
                }
            }
            if !mistakes.is_empty() {
                return Err(place_all(mistakes, text));
            }
            self.grouping = Some(grouping);
        }
        let mut columns = Vec::new();
        for column in &query.columns {
            match self.value_of(&column.value) {
                Ok(node) => columns.push((column.name.clone().unwrap_or_else(|| column.value.to_string()), node)),
                Err(mistake) => mistakes.push(mistake),
            }
        }
        let mut order = Vec::new();
        for by in &query.order_by {
            let named = match &by.key.kind {
                ExprKind::Name { name, .. } => columns.iter().find(|(column, _)| column == name),
                _ => None,
            };
            match named.map_or_else(|| self.value_of(&by.key), |(_, node)| Ok(node.clone())) {
                Ok(node) => order.push((node, by.descending)),
                Err(mistake) => mistakes.push(mistake),
            }
        }
        if !mistakes.is_empty() {
            return Err(place_all(mistakes, text));
        }
        let aggregates = self.grouping.take().map(|grouping| grouping.aggregates).unwrap_or_default();
        let groups = grouped.then_some(keys);
        let plan = self.common_table(groups.as_deref(), &aggregates, &columns, &order).and_then(|grain| {
            let mut conditions = Vec::new();
            for filter in filters {
                let way = self.way(&filter, grain).map_err(|detail| Mistake::new(filter.span, detail))?;
                conditions.push((filter, way));
            }
            Ok((grain, Selection { target: grain, conditions }))
        });
        let (grain, selection) = plan.map_err(|mistake| place_all(vec![mistake], text))?;
        Ok(QueryPlan {
            program: self.program,
            grain,
            selection,
            distinct: query.distinct,
            columns,
            order,
            limit: query.limit,
            offset: query.offset.unwrap_or(0),
            groups,
            aggregates,
        })
    }

    fn common_table(
        &self,
        groups: Option<&[Node]>,
        aggregates: &[Aggregate],
        columns: &[(String, Node)],
        order: &[(Node, bool)],
    ) -> Checked<Grain> {
        let mut grain = Grain::Constant;
        match groups {
            None => {
                let ordered = order.iter().map(|(node, _)| node);
                for node in columns.iter().map(|(_, node)| node).chain(ordered) {
                    grain = self.common(grain, node.grain, node.span)?;
                }
            }
            Some(keys) => {
                for key in keys {
                    grain = self.common(grain, key.grain, key.span)?;
                }
                for aggregate in aggregates {
                    grain = match aggregate {
                        Aggregate::Of(_, value) => self.common(grain, value.grain, value.span)?,
                        Aggregate::Rows(table) => self.common(grain, Grain::Table(*table), Span::default())?,
                    };
                }
            }
        }
        Ok(grain)
    }

    /// Returns the more detailed of two grains.
    fn common(&self, one: Grain, other: Grain, span: Span) -> Checked<Grain> {
        match (one, other) {
            (Grain::Group, Grain::Constant | Grain::Group) | (Grain::Constant, Grain::Group) => Ok(Grain::Group),
            (Grain::Group, _) | (_, Grain::Group) => Err(Mistake::new(
                span,
                "outside of an aggregate only columns can stand that are columns of the result themselves",
            )),
            _ if self.program.reaches(one, other) => Ok(one),
            _ if self.program.reaches(other, one) => Ok(other),
            _ => {
                let ambiguous = match (one, other) {
                    (Grain::Table(one), Grain::Table(other)) => {
                        self.program.catalog.path(one, other) == Path::Ambiguous
                            || self.program.catalog.path(other, one) == Path::Ambiguous
                    }
                    _ => false,
                };
                let (one, other) = (self.program.name(one), self.program.name(other));
                let detail = if ambiguous {
                    format!("{one} and {other} are joined in more than one way")
                } else {
                    format!("{one} and {other} have no common table; pull one up with a PU operator or use BIND")
                };
                Err(Mistake::new(span, detail))
            }
        }
    }

    fn common_of(&self, nodes: &[&Node]) -> Checked<Grain> {
        nodes.iter().try_fold(Grain::Constant, |grain, node| self.common(grain, node.grain, node.span))
    }

    fn node(&mut self, op: Op, yields: Yield, grain: Grain, span: Span) -> Node {
        self.next_id += 1;
        Node { id: self.next_id, op, yields, grain, span }
    }

    fn apply(&mut self, function: Function, arguments: Vec<Node>, result: Type, span: Span) -> Checked<Node> {
        let grain = self.common_of(&arguments.iter().collect::<Vec<_>>())?;
        Ok(self.node(Op::Apply(function, arguments), Yield::Of(result), grain, span))
    }

    fn value_of(&mut self, expr: &Expr) -> Checked<Node> {
        let node = self.any(expr)?;
        match node.yields {
            Yield::Truth => Err(Mistake::new(
                expr.span,
                "a condition is not a value; write CASE WHEN … THEN 1 ELSE 0 END to make it one",
            )),
            _ => Ok(node),
        }
    }

    fn truth_of(&mut self, expr: &Expr) -> Checked<Node> {
        let node = self.any(expr)?;
        match node.yields {
            Yield::Truth => Ok(node),
            Yield::Of(Type::Int) => {
                Err(Mistake::new(expr.span, "expected a condition, found an INT; compare it, as in … = 1"))
            }
            Yield::Of(other) => Err(Mistake::new(expr.span, format!("expected a condition, found a {other}"))),
            Yield::Nothing => Err(Mistake::new(expr.span, "expected a condition, found NULL")),
        }
    }
}

/// Returns the type of a node that has values; NULL alone counts as text.
pub(crate) fn type_of(node: &Node) -> Type {
    match node.yields {
        Yield::Of(own) => own,
        Yield::Truth => Type::Int,
        Yield::Nothing => Type::String,
    }
}
