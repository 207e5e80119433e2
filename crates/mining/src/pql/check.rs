//! From a tree to a plan: names, types, grains.
//!
//! A [`Checker`] is used for all texts that belong together, such as the
//! identifier, the outputs and the filters of a trigger, so that they share
//! their DOMAIN_TABLEs. Every message names the place and, where a name is
//! unknown, the known one that is most like it.

mod values;
mod calls;
mod processes;
mod pairs;
mod patterns;
mod nets;
mod reductions;
mod aggregates;
mod statements;
mod questions;
mod rows;
mod calendars;

use std::cell::Cell;
use std::collections::HashMap;
use std::sync::Arc;

use self::aggregates::ResultRows;
use super::catalog::{Catalog, Path};
use super::operators::Operator;
use super::plan::{Aggregate, Function, Grain, Node, Op, Program, QueryPlan, Selection, Way, Yield};
use super::syntax::{Expr, ExprKind, Query, Span};
use super::{Faults, Mistake, bind, parse, place_all};
use crate::value::Type;

pub use questions::{Condition, More};

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
    /// Defaults of a KPI's parameters, in order, by its id in upper case; a
    /// parameter without default has to be given.
    pub kpi_defaults: HashMap<String, Vec<Option<String>>>,
}

/// Checks texts that belong together.
pub struct Checker<'a> {
    program: Program,
    vocabulary: &'a Vocabulary,
    next_id: u32,
    /// The names that are being expanded, outermost first.
    expanding: Vec<String>,
    /// How many names were expanded.
    expanded: Cell<usize>,
    place: Place,
    /// The FILTERs of the query so far.
    filters: Vec<Node>,
    grouping: Option<Grouping>,
    /// What DEFAULT ACTIVITY_COLUMN says.
    activities: Option<Expr>,
    result_rows: Option<ResultRows>,
}

/// Where the text stands that is being checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// Alone, as an attribute of a record.
    Value,
    /// Alone, as a condition.
    Condition,
    /// In a FILTER of a query.
    Filter,
    /// In a column of a query or in its order.
    Result,
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
        let program = Program { catalog, domains: Vec::new(), edges: None };
        Checker {
            program,
            vocabulary,
            next_id: 0,
            expanding: Vec::new(),
            expanded: Cell::new(0),
            place: Place::Value,
            filters: Vec::new(),
            grouping: None,
            activities: None,
            result_rows: None,
        }
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
        let expr = parse::expression(&self.guarded_text(text)?)?;
        self.place = Place::Value;
        self.value_of(&expr).map_err(|mistake| place_all(vec![mistake], text))
    }

    /// Checks a condition, with or without FILTER before it.
    pub fn condition(&mut self, text: &str) -> Result<Node, Faults> {
        let expr = parse::condition(&self.guarded_text(text)?)?;
        self.place = Place::Condition;
        self.standing_truth(&expr).map_err(|mistake| place_all(vec![mistake], text))
    }

    /// Checks the name of a table.
    pub fn table(&mut self, text: &str) -> Result<usize, Faults> {
        let expr = parse::expression(text)?;
        self.table_of(&expr).map_err(|mistake| place_all(vec![mistake], text))
    }

    /// Checks a KPI by its id, with the defaults of its parameters; one that
    /// needs arguments is read only.
    pub fn kpi_of(self, id: &str) -> Result<(), Faults> {
        let Some(text) = self.vocabulary.kpis.get(&id.to_uppercase()) else { return Ok(()) };
        let kept = self.guarded_text(text)?;
        let needed = bind::parameters(&parse::expression(&kept)?) as usize;
        let defaults = self.vocabulary.kpi_defaults.get(&id.to_uppercase()).map_or(&[][..], Vec::as_slice);
        if needed == 0 {
            return self.query(text).map(|_| ());
        }
        if defaults.iter().take_while(|default| default.is_some()).count() < needed {
            return Ok(());
        }
        self.query(&format!("KPI(\"{}\")", id.replace('"', "\"\""))).map(|_| ())
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
        let home = match condition.grain {
            Grain::Edges => Grain::Table(self.program.catalog.roles.case_table),
            grain => grain,
        };
        let steps = |table: &usize| match home {
            Grain::Table(from) => match self.program.catalog.path(from, *table) {
                Path::Over(joins) => joins.len(),
                _ => usize::MAX,
            },
            _ => usize::MAX,
        };
        meeting.min_by_key(steps).map(Way::Over).ok_or_else(|| {
            let (own, other) = (self.program.name(condition.grain), self.program.name(target));
            let ambiguous = self.are_ambiguous(condition.grain, target);
            let how = if ambiguous { "joined in more than one way" } else { "not joined" };
            format!(
                "{own} and {other} are {how}, so the condition does not reach it; use a PU operator, BIND or LOOKUP"
            )
        })
    }

    /// Checks a whole query.
    pub fn query(self, text: &str) -> Result<QueryPlan, Faults> {
        let query = parse::query(&self.guarded_text(text)?)?;
        self.query_of(&query, text, &More::default())
    }

    /// Checks a query whose tree is there already, with more than it says
    /// itself; `text` is what its places count in.
    pub fn query_of(mut self, query: &Query, text: &str, more: &More) -> Result<QueryPlan, Faults> {
        let place = |mistakes: Vec<Mistake>| place_all(mistakes, text);
        self.activities.clone_from(&query.activity_column);
        self.filters(query).map_err(place)?;
        let more = self.more(more).map_err(|mistake| place(vec![mistake]))?;
        self.place = Place::Result;
        let shown = query.columns.iter().map(|column| &column.value);
        let shown: Vec<&Expr> = shown.chain(query.order_by.iter().map(|by| &by.key)).collect();
        let grouped = shown.iter().any(|value| self.has_aggregate(value));
        let moves = query.columns.iter().any(|column| self.has_moving(&column.value));
        let keys = if grouped { self.group_keys(query).map_err(place)? } else { Vec::new() };
        let named: Vec<(Expr, Yield)> = keys.iter().map(|(written, node)| (written.clone(), node.yields)).collect();
        let groups = grouped.then(|| keys.into_iter().map(|(_, node)| node).collect::<Vec<_>>());
        // Rows of a result move along the common table, which is known only
        // once all columns are: so they are checked twice.
        let mut rows = moves.then(ResultRows::default);
        loop {
            self.grouping = grouped.then(|| Grouping { keys: named.clone(), ..Grouping::default() });
            let first = rows.as_ref().is_some_and(|rows| rows.grain.is_none());
            self.result_rows = rows.take();
            let (columns, order) = self.shown(query).map_err(place)?;
            let aggregates = self.grouping.take().map(|grouping| grouping.aggregates).unwrap_or_default();
            let found = self.common_table(groups.as_deref(), &aggregates, &columns, &order);
            let found = found.and_then(|grain| {
                let mut stands_on = more.stands_on.iter();
                stands_on.try_fold(grain, |grain, table| self.common(grain, *table, Span::default()))
            });
            let grain = found.map_err(|mistake| place(vec![mistake]))?;
            let moving = self.result_rows.take().map(|rows| rows.moving).unwrap_or_default();
            if first {
                rows = Some(ResultRows { grain: Some(grain), moving: Vec::new() });
                continue;
            }
            let selection = self.selection(grain, &more.where_joined).map_err(|mistake| place(vec![mistake]))?;
            return Ok(QueryPlan {
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
                moving,
            });
        }
    }

    /// Checks the columns that a result is grouped by: those without
    /// aggregates. Each comes with how it is written, for it may be written
    /// again inside another column.
    fn group_keys(&mut self, query: &Query) -> Result<Vec<(Expr, Node)>, Vec<Mistake>> {
        let (mut keys, mut mistakes) = (Vec::new(), Vec::new());
        for column in &query.columns {
            if self.has_aggregate(&column.value) || self.has_moving(&column.value) {
                continue;
            }
            match self.value_of(&column.value) {
                Ok(node) => keys.push((column.value.clone(), node)),
                Err(mistake) => mistakes.push(mistake),
            }
        }
        if mistakes.is_empty() { Ok(keys) } else { Err(mistakes) }
    }

    /// Checks the FILTERs: first those that stand for themselves, then the one
    /// that looks at what they leave.
    fn filters(&mut self, query: &Query) -> Result<(), Vec<Mistake>> {
        self.place = Place::Filter;
        let mut mistakes = Vec::new();
        let mut conditions: Vec<&Expr> = query.filters.iter().collect();
        for statement in &query.static_filters {
            match self.static_filters(statement) {
                Ok(filters) => conditions.extend(filters),
                Err(mistake) => mistakes.push(mistake),
            }
        }
        let (aware, plain): (Vec<&Expr>, Vec<&Expr>) = conditions
            .into_iter()
            .partition(|condition| self.has(condition, |one| matches!(one, Operator::FilterToNull), 0));
        if let [_, second, ..] = &aware[..] {
            let detail = "there is a second FILTER with FILTER_TO_NULL; at most one can look at what the others leave";
            mistakes.push(Mistake::new(second.span, detail));
        }
        for condition in plain.into_iter().chain(aware) {
            match self.standing_truth(condition) {
                Ok(node) => self.filters.push(node),
                Err(mistake) => mistakes.push(mistake),
            }
        }
        if mistakes.is_empty() { Ok(()) } else { Err(mistakes) }
    }

    /// Checks columns and order.
    #[expect(clippy::type_complexity, reason = "columns by name and keys by direction, as the plan has them")]
    fn shown(&mut self, query: &Query) -> Result<(Vec<(String, Node)>, Vec<(Node, bool)>), Vec<Mistake>> {
        let mut mistakes = Vec::new();
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
                Ok(node) if moves(&node) => {
                    let detail = "a moving aggregate goes along the order, so it cannot make it";
                    mistakes.push(Mistake::new(by.key.span, detail));
                }
                Ok(node) if self.grouping.is_some() && !matches!(node.grain, Grain::Group | Grain::Constant) => {
                    let detail = "a grouped result is ordered by its columns or by aggregates; \
                                  make this a column, or aggregate it";
                    mistakes.push(Mistake::new(by.key.span, detail));
                }
                Ok(node) => order.push((node, by.descending)),
                Err(mistake) => mistakes.push(mistake),
            }
        }
        if mistakes.is_empty() { Ok((columns, order)) } else { Err(mistakes) }
    }

    /// Brings the FILTERs to the common table. Those of a query over a
    /// DOMAIN_TABLE select among the rows that it is made of.
    fn selection(&self, grain: Grain, where_joined: &[Node]) -> Checked<Selection> {
        let target = match grain {
            Grain::Domain(domain) => self.program.domains[domain].source,
            other => other,
        };
        let mut conditions = Vec::new();
        for condition in where_joined {
            if let Ok(way) = self.way(condition, target) {
                conditions.push((condition.clone(), way));
            }
        }
        for filter in &self.filters {
            let way = self.way(filter, target).map_err(|detail| Mistake::new(filter.span, detail))?;
            conditions.push((filter.clone(), way));
        }
        Ok(Selection { target, conditions })
    }

    fn common_table(
        &self,
        groups: Option<&[Node]>,
        aggregates: &[Aggregate],
        columns: &[(String, Node)],
        order: &[(Node, bool)],
    ) -> Checked<Grain> {
        let mut grains = Vec::new();
        let of = |node: &Node| (node.grain, node.span);
        match groups {
            None => {
                grains.extend(columns.iter().map(|(_, node)| of(node)));
                grains.extend(order.iter().map(|(node, _)| of(node)));
            }
            Some(keys) => {
                grains.extend(keys.iter().map(of));
                for aggregate in aggregates {
                    match aggregate {
                        Aggregate::Of(reduction) => {
                            grains.push(of(&reduction.value));
                            grains.extend(reduction.order.iter().map(|(key, _)| of(key)));
                        }
                        Aggregate::Rows(table) => grains.push((Grain::Table(*table), Span::default())),
                    }
                }
            }
        }
        self.common_grain(&grains)
    }

    /// Returns the grain from which all are reached, be it the last of them;
    /// if there is none, says which two do not meet.
    fn common_grain(&self, grains: &[(Grain, Span)]) -> Checked<Grain> {
        let reaches_all = |from: &Grain| grains.iter().all(|(to, _)| self.program.reaches(*from, *to));
        if let Some(common) = grains.iter().map(|(grain, _)| *grain).find(reaches_all) {
            return Ok(common);
        }
        grains.iter().try_fold(Grain::Constant, |common, (grain, span)| self.common(common, *grain, *span))
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
                let ambiguous = self.are_ambiguous(one, other);
                let (one, other) = (self.program.name(one), self.program.name(other));
                let detail = if ambiguous {
                    format!(
                        "{one} and {other} are joined in more than one way; say which one with a PU operator, \
                         or with BIND over a table in between"
                    )
                } else {
                    format!("{one} and {other} have no common table; pull one up with a PU operator or use BIND")
                };
                Err(Mistake::new(span, detail))
            }
        }
    }

    fn are_ambiguous(&self, one: Grain, other: Grain) -> bool {
        let (Grain::Table(one), Grain::Table(other)) = (one, other) else { return false };
        let catalog = &self.program.catalog;
        catalog.path(one, other) == Path::Ambiguous || catalog.path(other, one) == Path::Ambiguous
    }

    fn common_of(&self, nodes: &[&Node]) -> Checked<Grain> {
        self.common_grain(&nodes.iter().map(|node| (node.grain, node.span)).collect::<Vec<_>>())
    }

    fn node(&mut self, op: Op, yields: Yield, grain: Grain, span: Span) -> Node {
        self.next_id += 1;
        Node { id: self.next_id, op, yields, grain, span }
    }

    fn apply(&mut self, function: Function, arguments: Vec<Node>, result: Type, span: Span) -> Checked<Node> {
        let grain = self.common_of(&arguments.iter().collect::<Vec<_>>())?;
        Ok(self.node(Op::Apply(function, arguments), Yield::Of(result), grain, span))
    }

    /// Checks a condition that selects rows. One on a DOMAIN_TABLE stands on
    /// the rows that its combinations are made of.
    fn standing_truth(&mut self, expr: &Expr) -> Checked<Node> {
        let node = self.truth_of(expr)?;
        let Grain::Domain(domain) = node.grain else { return Ok(node) };
        let source = self.program.domains[domain].source;
        let span = node.span;
        Ok(self.node(Op::Bind(Box::new(node)), Yield::Truth, source, span))
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

/// Tells whether a moving aggregate has a part in a value.
fn moves(node: &Node) -> bool {
    let mut found = false;
    node.walk(&mut |node| found |= matches!(node.op, Op::Moving(_)));
    found
}

/// Returns the type of a node that has values; NULL alone counts as text.
pub(crate) fn type_of(node: &Node) -> Type {
    match node.yields {
        Yield::Of(own) => own,
        Yield::Truth => Type::Int,
        Yield::Nothing => Type::String,
    }
}
