//! From a tree to a plan: names, types, grains.
//!
//! A [`Checker`] is used for all texts that belong together, such as the
//! identifier, the outputs and the filters of a trigger, so that they share
//! their DOMAIN_TABLEs. Every message names the place and, where a name is
//! unknown, the known one that is most like it.

use std::collections::HashMap;
use std::sync::Arc;

use super::catalog::{Catalog, Path};
use super::operators::{self, Gives, OPERATORS, Operator, Takes, Want, hint};
use super::plan::{
    Aggregate, Aggregation, Boundary, Domain, Function, Grain, Node, Op, Process, Program, PullUp, QueryPlan,
    Selection, Unit, Way, Yield,
};
use super::syntax::{Arithmetic, Call, Comparison, Expr, ExprKind, Span};
use super::{Faults, Mistake, parse, place_all};
use crate::value::{Type, Value};

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
        let plan = self.common_table(&groups, &aggregates, &columns, &order).and_then(|grain| {
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
        groups: &Option<Vec<Node>>,
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
            Yield::Of(Type::Int) => Err(Mistake::new(expr.span, "expected a condition, found an INT; compare it, as in … = 1")),
            Yield::Of(other) => Err(Mistake::new(expr.span, format!("expected a condition, found a {other}"))),
            Yield::Nothing => Err(Mistake::new(expr.span, "expected a condition, found NULL")),
        }
    }

    fn any(&mut self, expr: &Expr) -> Checked<Node> {
        if let Some(grouping) = &self.grouping
            && !grouping.inside_aggregate
            && let Some(place) = grouping.keys.iter().position(|(key, _)| key == expr)
        {
            let yields = grouping.keys[place].1;
            return Ok(self.node(Op::Dimension(place), yields, Grain::Group, expr.span));
        }
        let span = expr.span;
        match &expr.kind {
            ExprKind::Column { table, column } => self.column(table, column, span),
            ExprKind::Name { name, .. } => Err(self.not_a_value(name, span)),
            ExprKind::Variable(name) => {
                let value = self.variable(name, span)?;
                self.expanding(&format!("variable \"{name}\""), span, |checker| checker.any(&value))
            }
            ExprKind::Int(number) => Ok(self.constant(Value::Int(*number), span)),
            ExprKind::Float(number) => Ok(self.constant(Value::Float(*number), span)),
            ExprKind::Text(text) => {
                let text = self.fill_in(text, span)?;
                Ok(self.constant(Value::Text(text.into()), span))
            }
            ExprKind::Null => Ok(self.constant(Value::Null, span)),
            ExprKind::Negate(value) => {
                let value = self.number(value)?;
                let result = type_of(&value);
                self.apply(Function::Negate, vec![value], result, span)
            }
            ExprKind::Arithmetic(operator, left, right) => self.arithmetic(*operator, left, right, span),
            ExprKind::Compare(comparison, left, right) => {
                let (left, right) = (self.value_of(left)?, self.value_of(right)?);
                self.compare(*comparison, left, right, span)
            }
            ExprKind::Not(value) => {
                let value = self.truth_of(value)?;
                Ok(self.not(value, true, span))
            }
            ExprKind::And(left, right) | ExprKind::Or(left, right) => {
                let (left, right) = (Box::new(self.truth_of(left)?), Box::new(self.truth_of(right)?));
                let grain = self.common_of(&[&left, &right])?;
                let is_and = matches!(expr.kind, ExprKind::And(..));
                let op = if is_and { Op::And(left, right) } else { Op::Or(left, right) };
                Ok(self.node(op, Yield::Truth, grain, span))
            }
            ExprKind::Between { value, low, high, negated } => {
                let value = self.value_of(value)?;
                let (low, high) = (self.value_of(low)?, self.value_of(high)?);
                let from = self.compare(Comparison::GreaterOrEqual, value.clone(), low, span)?;
                let to = self.compare(Comparison::LessOrEqual, value, high, span)?;
                let grain = self.common_of(&[&from, &to])?;
                let both = self.node(Op::And(Box::new(from), Box::new(to)), Yield::Truth, grain, span);
                Ok(self.not(both, *negated, span))
            }
            ExprKind::In { value, list, negated } => self.is_in(value, list, *negated, span),
            ExprKind::Like { value, pattern, negated } => {
                let value = self.value_of(value)?;
                let value = self.wanted(value, Want::Text)?;
                let pattern = self.value_of(pattern)?;
                let pattern = self.wanted(pattern, Want::Text)?;
                let grain = self.common_of(&[&value, &pattern])?;
                let like = self.node(Op::Like(Box::new(value), Box::new(pattern)), Yield::Truth, grain, span);
                Ok(self.not(like, *negated, span))
            }
            ExprKind::IsNull { value, negated } => {
                let value = self.value_of(value)?;
                let grain = value.grain;
                let is_null = self.node(Op::IsNull(Box::new(value)), Yield::Truth, grain, span);
                Ok(self.not(is_null, *negated, span))
            }
            ExprKind::Case { branches, otherwise } => self.case(branches, otherwise.as_deref(), span),
            ExprKind::Call(call) => self.call(call, span),
            ExprKind::Bracket { word, .. } => {
                Err(Mistake::new(span, format!("{word}[…] has a meaning only inside MATCH_ACTIVITIES and CALC_THROUGHPUT")))
            }
            ExprKind::Range(..) => Err(Mistake::new(span, "… TO … has a meaning only inside CALC_THROUGHPUT")),
        }
    }

    fn constant(&mut self, value: Value, span: Span) -> Node {
        let yields = match &value {
            Value::Null => Yield::Nothing,
            Value::Int(_) => Yield::Of(Type::Int),
            Value::Float(_) => Yield::Of(Type::Float),
            Value::Date(_) => Yield::Of(Type::Date),
            Value::Text(_) => Yield::Of(Type::String),
        };
        self.node(Op::Constant(value), yields, Grain::Constant, span)
    }

    fn not(&mut self, node: Node, negated: bool, span: Span) -> Node {
        if !negated {
            return node;
        }
        let grain = node.grain;
        self.node(Op::Not(Box::new(node)), Yield::Truth, grain, span)
    }

    fn column(&mut self, table: &str, column: &str, span: Span) -> Checked<Node> {
        let catalog = self.program.catalog.clone();
        if let Some(place) = catalog.table(table) {
            let columns = &catalog.tables[place].columns;
            let Some(found) = columns.iter().position(|(name, _)| name.eq_ignore_ascii_case(column)) else {
                let hint = hint(column, columns.iter().map(|(name, _)| name.as_str()));
                return Err(Mistake::new(span, format!("table \"{table}\" has no column \"{column}\"{hint}")));
            };
            let op = Op::Column { table: place, column: found };
            return Ok(self.node(op, Yield::Of(columns[found].1), Grain::Table(place), span));
        }
        let record = table.to_uppercase();
        let vocabulary = self.vocabulary;
        if let Some(text) = vocabulary.attributes.get(&(record.clone(), column.to_uppercase())) {
            let name = format!("\"{table}.{column}\"");
            let expr = parse::expression(text).map_err(|faults| Mistake::new(span, format!("in {name}: {faults}")))?;
            return self.expanding(&name, span, |checker| checker.value_of(&expr));
        }
        let records = vocabulary.attributes.keys();
        if records.clone().any(|(known, _)| *known == record) {
            let attributes = records.filter(|(known, _)| *known == record).map(|(_, attribute)| attribute.as_str());
            let hint = hint(column, attributes);
            return Err(Mistake::new(span, format!("record \"{table}\" has no attribute \"{column}\"{hint}")));
        }
        let known = catalog.tables.iter().map(|table| table.name.as_str());
        let hint = hint(table, known.chain(records.map(|(record, _)| record.as_str())));
        Err(Mistake::new(span, format!("there is no table \"{table}\"{hint}")))
    }

    fn not_a_value(&self, name: &str, span: Span) -> Mistake {
        if self.program.catalog.table(name).is_some() {
            return Mistake::new(span, format!("\"{name}\" is a table; name a column of it, as in \"{name}\".\"COLUMN\""));
        }
        Mistake::new(span, format!("\"{name}\" is no value; a column is written \"TABLE\".\"COLUMN\", a text 'text'"))
    }

    /// Checks what a name stands for; a mistake in there is told at the name.
    fn expanding<T>(&mut self, name: &str, span: Span, check: impl FnOnce(&mut Self) -> Checked<T>) -> Checked<T> {
        if self.expansions >= EXPANSIONS_MAX {
            return Err(Mistake::new(span, format!("{name} refers to itself")));
        }
        self.expansions += 1;
        let checked = check(self);
        self.expansions -= 1;
        checked.map_err(|mistake| match mistake.detail.strip_prefix("in ") {
            Some(inner) => Mistake::new(span, format!("in {name}: in {inner}")),
            None => Mistake::new(span, format!("in {name}: {}", mistake.detail)),
        })
    }

    /// Returns what a variable stands for: a number or an expression if its
    /// value is one, else its text. It is bound as a whole, so that a value
    /// can never break out of its place.
    fn variable(&self, name: &str, span: Span) -> Checked<Expr> {
        let value = self.variable_text(name, span)?;
        let expr = parse::expression(value).ok().filter(|expr| !matches!(expr.kind, ExprKind::Name { .. }));
        Ok(expr.unwrap_or_else(|| Expr { kind: ExprKind::Text(value.to_owned()), span }))
    }

    fn variable_text(&self, name: &str, span: Span) -> Checked<&'a str> {
        let known = &self.vocabulary.variables;
        known.get(name).map(String::as_str).ok_or_else(|| {
            let hint = hint(name, known.keys().map(String::as_str));
            Mistake::new(span, format!("there is no variable \"{name}\"{hint}"))
        })
    }

    /// Fills variables into a text constant.
    fn fill_in(&self, text: &str, span: Span) -> Checked<String> {
        let mut filled = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("<%=") {
            let Some((name, behind)) = after.split_once("%>") else { break };
            filled.push_str(before);
            filled.push_str(self.variable_text(name.trim(), span)?);
            rest = behind;
        }
        filled.push_str(rest);
        Ok(filled)
    }

    fn number(&mut self, expr: &Expr) -> Checked<Node> {
        let node = self.value_of(expr)?;
        self.wanted(node, Want::Number)
    }

    /// Gives a node the type that is wanted, if it can have it.
    fn wanted(&mut self, node: Node, want: Want) -> Checked<Node> {
        let found = match (node.yields, want) {
            (Yield::Nothing, _) => {
                let wanted = match want {
                    Want::Text => Type::String,
                    Want::Date => Type::Date,
                    Want::Int => Type::Int,
                    Want::Number => Type::Float,
                };
                return Ok(Node { yields: Yield::Of(wanted), ..node });
            }
            (Yield::Of(Type::String), Want::Text)
            | (Yield::Of(Type::Date), Want::Date)
            | (Yield::Of(Type::Int), Want::Int | Want::Number)
            | (Yield::Of(Type::Float), Want::Number) => return Ok(node),
            (Yield::Of(found), _) => found.to_string(),
            (Yield::Truth, _) => "condition".to_owned(),
        };
        let wanted = match want {
            Want::Text => "a STRING",
            Want::Date => "a DATE",
            Want::Int => "an INT",
            Want::Number => "a number",
        };
        Err(Mistake::new(node.span, format!("expected {wanted}, found {}", with_article(&found))))
    }

    /// Gives nodes one type, the widest of theirs.
    fn alike(&mut self, nodes: Vec<Node>, span: Span) -> Checked<(Vec<Node>, Type)> {
        let mut common = None;
        for node in &nodes {
            let Yield::Of(own) = node.yields else { continue };
            common = match (common, own) {
                (None, own) => Some(own),
                (Some(known), own) if known == own => Some(known),
                (Some(Type::Int | Type::Float), Type::Int | Type::Float) => Some(Type::Float),
                (Some(known), own) => {
                    return Err(Mistake::new(
                        node.span,
                        format!("{} and {} do not go together here", with_article(&known.to_string()), with_article(&own.to_string())),
                    ));
                }
            };
        }
        let common = common.unwrap_or(Type::String);
        let mut widened = Vec::new();
        for node in nodes {
            widened.push(self.widen(node, common, span)?);
        }
        Ok((widened, common))
    }

    fn widen(&mut self, node: Node, to: Type, span: Span) -> Checked<Node> {
        match (node.yields, to) {
            (Yield::Nothing, _) => Ok(Node { yields: Yield::Of(to), ..node }),
            (Yield::Of(Type::Int), Type::Float) => self.apply(Function::ToFloat, vec![node], Type::Float, span),
            _ => Ok(node),
        }
    }

    fn arithmetic(&mut self, operator: Arithmetic, left: &Expr, right: &Expr, span: Span) -> Checked<Node> {
        if operator == Arithmetic::Concat {
            let parts = vec![self.value_of(left)?, self.value_of(right)?];
            return self.concat(parts, span);
        }
        let parts = vec![self.number(left)?, self.number(right)?];
        let (parts, common) = self.alike(parts, span)?;
        let (function, result) = match operator {
            Arithmetic::Add => (Function::Add, common),
            Arithmetic::Subtract => (Function::Subtract, common),
            Arithmetic::Multiply => (Function::Multiply, common),
            Arithmetic::Divide => (Function::Divide, Type::Float),
            Arithmetic::Remainder | Arithmetic::Concat => (Function::Remainder, common),
        };
        let mut widened = Vec::new();
        for part in parts {
            widened.push(self.widen(part, result, span)?);
        }
        self.apply(function, widened, result, span)
    }

    fn concat(&mut self, parts: Vec<Node>, span: Span) -> Checked<Node> {
        let mut texts = Vec::new();
        for part in parts {
            texts.push(match part.yields {
                Yield::Of(Type::String) => part,
                Yield::Nothing => self.widen(part, Type::String, span)?,
                _ => self.apply(Function::ToText, vec![part], Type::String, span)?,
            });
        }
        self.apply(Function::Concat, texts, Type::String, span)
    }

    fn compare(&mut self, comparison: Comparison, left: Node, right: Node, span: Span) -> Checked<Node> {
        let (parts, _) = self.alike(vec![left, right], span)?;
        let grain = self.common_of(&parts.iter().collect::<Vec<_>>())?;
        let [left, right] = <[Node; 2]>::try_from(parts).expect("two went in");
        Ok(self.node(Op::Compare(comparison, Box::new(left), Box::new(right)), Yield::Truth, grain, span))
    }

    fn is_in(&mut self, value: &Expr, list: &[Expr], negated: bool, span: Span) -> Checked<Node> {
        let value = self.value_of(value)?;
        let mut nodes = vec![value];
        for item in list {
            nodes.push(self.value_of(item)?);
        }
        let (mut nodes, _) = self.alike(nodes, span)?;
        let value = nodes.remove(0);
        let constants: Option<Vec<Value>> = nodes.iter().map(constant_value).collect();
        if let Some(constants) = constants.filter(|constants| !constants.contains(&Value::Null)) {
            let grain = value.grain;
            let is_in = self.node(Op::In(Box::new(value), constants), Yield::Truth, grain, span);
            return Ok(self.not(is_in, negated, span));
        }
        let mut any: Option<Node> = None;
        for node in nodes {
            let equal = self.compare(Comparison::Equal, value.clone(), node, span)?;
            any = Some(match any {
                None => equal,
                Some(before) => {
                    let grain = self.common_of(&[&before, &equal])?;
                    self.node(Op::Or(Box::new(before), Box::new(equal)), Yield::Truth, grain, span)
                }
            });
        }
        let any = any.ok_or_else(|| Mistake::new(span, "IN needs at least one value"))?;
        Ok(self.not(any, negated, span))
    }

    fn case(&mut self, branches: &[(Expr, Expr)], otherwise: Option<&Expr>, span: Span) -> Checked<Node> {
        let mut conditions = Vec::new();
        let mut values = Vec::new();
        for (condition, value) in branches {
            conditions.push(self.truth_of(condition)?);
            values.push(self.value_of(value)?);
        }
        if let Some(otherwise) = otherwise {
            values.push(self.value_of(otherwise)?);
        }
        let (mut values, result) = self.alike(values, span)?;
        let grain = self.common_of(&conditions.iter().chain(&values).collect::<Vec<_>>())?;
        let otherwise = if otherwise.is_some() { values.pop().map(Box::new) } else { None };
        let branches = conditions.into_iter().zip(values).collect();
        Ok(self.node(Op::Case(branches, otherwise), Yield::Of(result), grain, span))
    }

    fn call(&mut self, call: &Call, span: Span) -> Checked<Node> {
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
        match operator {
            Operator::Scalar { function, takes, gives } => self.scalar(call, function, takes, gives, span),
            Operator::DateDiff => {
                let [unit, from, to] = self.exactly(call, "a unit and two dates")?;
                let unit = self.unit(unit)?;
                let mut dates = Vec::new();
                for date in [from, to] {
                    let node = self.value_of(date)?;
                    dates.push(self.wanted(node, Want::Date)?);
                }
                self.apply(Function::Between(unit), dates, Type::Float, span)
            }
            Operator::Now => {
                let [] = self.exactly(call, "nothing")?;
                Ok(self.node(Op::Now, Yield::Of(Type::Date), Grain::Constant, span))
            }
            Operator::ClockPart(part) => {
                if let Some(zone) = call.arguments.first() {
                    return Err(Mistake::new(zone.span, "time zones are not understood yet; the clock is read in UTC"));
                }
                let yields = if call.name == "TODAY" { Type::Date } else { Type::Int };
                Ok(self.node(Op::ClockPart(part), Yield::Of(yields), Grain::Constant, span))
            }
            Operator::PullUp(aggregation) => self.pull_up(call, aggregation, span),
            Operator::Aggregate(aggregation) => self.aggregate(call, aggregation, span),
            Operator::CountTable => {
                let [table] = self.exactly(call, "a table")?;
                let table = self.table_of(table)?;
                self.add_aggregate(call, Aggregate::Rows(table), Type::Int, span)
            }
            Operator::DomainTable | Operator::Constant => Err(Mistake::new(
                span,
                format!("{} can stand only as the first argument of a PU operator", call.name),
            )),
            Operator::Bind => {
                let [table, value] = self.exactly(call, "a table and a value")?;
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
                let value = self.wanted(value, Want::Text)?;
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
                let [time, unit] = self.exactly(call, "a date and a unit")?;
                let time = self.value_of(time)?;
                let time = self.wanted(time, Want::Date)?;
                let unit = self.unit(unit)?;
                self.apply(Function::Remap(unit), vec![time], Type::Int, span)
            }
            Operator::Kpi => {
                let (name, expr) = self.kpi(call, span)?;
                self.expanding(&format!("KPI \"{name}\""), span, |checker| checker.value_of(&expr))
            }
        }
    }

    fn scalar(&mut self, call: &Call, function: Function, takes: Takes, gives: Gives, span: Span) -> Checked<Node> {
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
                let mut wanted = Vec::new();
                for (node, want) in nodes.into_iter().zip(wants) {
                    wanted.push(self.wanted(node, *want)?);
                }
                let own = type_of(&wanted[0]);
                (wanted, own)
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

    fn exactly<'e, const N: usize>(&self, call: &'e Call, what: &str) -> Checked<[&'e Expr; N]> {
        let arguments: Vec<&Expr> = call.arguments.iter().collect();
        let found = arguments.len();
        <[&Expr; N]>::try_from(arguments).map_err(|_| {
            Mistake::new(call.name_span, format!("{} takes {what}, found {found} arguments", call.name))
        })
    }

    fn unit(&self, expr: &Expr) -> Checked<Unit> {
        let word = match &expr.kind {
            ExprKind::Name { name, quoted: false } => name,
            _ => return Err(Mistake::new(expr.span, "expected a unit such as HOURS")),
        };
        let names = ["MILLISECONDS", "SECONDS", "MINUTES", "HOURS", "DAYS"];
        operators::unit(word).ok_or_else(|| {
            Mistake::new(expr.span, format!("\"{word}\" is no unit of time{}", hint(word, names)))
        })
    }

    fn table_of(&self, expr: &Expr) -> Checked<usize> {
        let ExprKind::Name { name, .. } = &expr.kind else {
            return Err(Mistake::new(expr.span, "expected a table, as in \"TABLE\""));
        };
        self.program.catalog.table(name).ok_or_else(|| {
            let known = self.program.catalog.tables.iter().map(|table| table.name.as_str());
            Mistake::new(expr.span, format!("there is no table \"{name}\"{}", hint(name, known)))
        })
    }

    fn pull_up(&mut self, call: &Call, aggregation: Option<Aggregation>, span: Span) -> Checked<Node> {
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
            let detail = format!("{target_name} is not on the 1-side of {from}; bring the column to a table in between with BIND");
            return Err(Mistake::new(target.span, detail));
        }
        let op = Op::PullUp(Box::new(PullUp { aggregation, value, filter, order, from }));
        Ok(self.node(op, Yield::Of(yields), target_grain, span))
    }

    fn pull_up_target(&mut self, target: &Expr) -> Checked<Grain> {
        let ExprKind::Call(call) = &target.kind else { return self.table_of(target).map(Grain::Table) };
        match call.name.as_str() {
            "CONSTANT" => {
                let [] = self.exactly(call, "nothing")?;
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
    fn fraction<'e>(
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
    fn aggregated(&mut self, aggregation: Aggregation, value: Node, span: Span) -> Checked<(Node, Type)> {
        let value = match aggregation {
            Aggregation::Sum | Aggregation::Avg => self.wanted(value, Want::Number)?,
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

    fn aggregate(&mut self, call: &Call, aggregation: Option<Aggregation>, span: Span) -> Checked<Node> {
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

    fn add_aggregate(&mut self, call: &Call, aggregate: Aggregate, result: Type, span: Span) -> Checked<Node> {
        let grouping = self.grouping.as_mut().filter(|grouping| !grouping.inside_aggregate);
        let Some(grouping) = grouping else { return Err(misplaced(call)) };
        grouping.aggregates.push(aggregate);
        let place = grouping.aggregates.len() - 1;
        Ok(self.node(Op::Aggregate(place), Yield::Of(result), Grain::Group, span))
    }

    /// Checks the first argument of an operator over events.
    fn event_value<'e>(&mut self, call: &'e Call) -> Checked<(Node, &'e [Expr])> {
        let [value, rest @ ..] = &call.arguments[..] else {
            return Err(Mistake::new(call.name_span, format!("{} takes a column of the activity table", call.name)));
        };
        let value = self.value_of(value)?;
        self.on_events(&value)?;
        Ok((value, rest))
    }

    fn on_events(&self, node: &Node) -> Checked<()> {
        let events = Grain::Table(self.program.catalog.roles.activity_table);
        if self.program.reaches(events, node.grain) {
            return Ok(());
        }
        let detail = format!("expected a value of {}, found one of {}", self.program.name(events), self.program.name(node.grain));
        Err(Mistake::new(node.span, detail))
    }

    fn process(&mut self, process: Process, yields: Yield, per_event: bool, span: Span) -> Checked<Node> {
        let roles = &self.program.catalog.roles;
        let table = if per_event { roles.activity_table } else { roles.case_table };
        Ok(self.node(Op::Process(Box::new(process)), yields, Grain::Table(table), span))
    }

    fn activity_column(&mut self, span: Span) -> Checked<Node> {
        let roles = self.program.catalog.roles.clone();
        let (_, yields) = self.program.catalog.tables[roles.activity_table].columns[roles.activity_column];
        let op = Op::Column { table: roles.activity_table, column: roles.activity_column };
        let node = self.node(op, Yield::Of(yields), Grain::Table(roles.activity_table), span);
        self.wanted(node, Want::Text)
    }

    fn match_activities(&mut self, call: &Call, span: Span) -> Checked<Node> {
        let mut value = None;
        let mut conditions = Vec::new();
        for argument in &call.arguments {
            let ExprKind::Bracket { word, items } = &argument.kind else {
                if value.is_some() || !conditions.is_empty() {
                    return Err(Mistake::new(argument.span, "expected a condition such as NODE['A']"));
                }
                let node = self.value_of(argument)?;
                self.on_events(&node)?;
                value = Some(self.wanted(node, Want::Text)?);
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

    fn activity_name(&mut self, expr: &Expr) -> Checked<String> {
        let node = self.value_of(expr)?;
        match node.op {
            Op::Constant(Value::Text(text)) => Ok(text.to_string()),
            _ => Err(Mistake::new(expr.span, "expected the name of an activity, as in 'Ship'")),
        }
    }

    fn throughput(&mut self, call: &Call, span: Span) -> Checked<Node> {
        let [range, time, rest @ ..] = &call.arguments[..] else {
            return Err(Mistake::new(span, "CALC_THROUGHPUT takes a range and remapped times"));
        };
        let ExprKind::Range(from, to) = &range.kind else {
            return Err(Mistake::new(range.span, "expected a range such as CASE_START TO CASE_END"));
        };
        let (from, to) = (self.boundary(from)?, self.boundary(to)?);
        let time = self.value_of(time)?;
        self.on_events(&time)?;
        let time = self.wanted(time, Want::Int)?;
        let value = match rest {
            [] => self.activity_column(span)?,
            [value] => {
                let value = self.value_of(value)?;
                self.on_events(&value)?;
                self.wanted(value, Want::Text)?
            }
            [_, more, ..] => return Err(Mistake::new(more.span, "expected the end of the arguments")),
        };
        self.process(Process::Throughput { from, to, time, value }, Yield::Of(Type::Int), false, span)
    }

    fn boundary(&mut self, expr: &Expr) -> Checked<Boundary> {
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

    fn kpi(&self, call: &Call, span: Span) -> Checked<(String, Expr)> {
        let [id] = self.exactly(call, "the id of a KPI, as in KPI(\"ID\")")?;
        let (ExprKind::Name { name, .. } | ExprKind::Text(name)) = &id.kind else {
            return Err(Mistake::new(id.span, "expected the id of a KPI, as in KPI(\"ID\")"));
        };
        let known = &self.vocabulary.kpis;
        let text = known.get(&name.to_uppercase()).ok_or_else(|| {
            Mistake::new(id.span, format!("there is no KPI \"{name}\"{}", hint(name, known.keys().map(String::as_str))))
        })?;
        let expr = parse::expression(text).map_err(|faults| Mistake::new(span, format!("in KPI \"{name}\": {faults}")))?;
        Ok((name.clone(), expr))
    }

    /// Tells whether an expression contains a standard aggregate.
    fn has_aggregate(&self, expr: &Expr, depth: usize) -> bool {
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
            | ExprKind::Like { value: left, pattern: right, .. } => any(&[left, right]),
            ExprKind::Between { value, low, high, .. } => any(&[value, low, high]),
            ExprKind::In { value, list, .. } => any(&[value]) || list.iter().any(|item| self.has_aggregate(item, depth)),
            ExprKind::Case { branches, otherwise } => {
                branches.iter().any(|(condition, value)| any(&[condition, value]))
                    || otherwise.as_deref().is_some_and(|otherwise| self.has_aggregate(otherwise, depth))
            }
            _ => false,
        }
    }
}

fn misplaced(call: &Call) -> Mistake {
    let detail = format!(
        "{} can stand only in a column of the result and not inside another aggregate; use PU_{} instead",
        call.name, call.name
    );
    Mistake::new(call.name_span, detail)
}

fn no_more(rest: &[Expr]) -> Checked<()> {
    match rest {
        [] => Ok(()),
        [more, ..] => Err(Mistake::new(more.span, "expected the end of the arguments")),
    }
}

fn with_article(word: &str) -> String {
    let article = if word.starts_with('I') { "an" } else { "a" };
    format!("{article} {word}")
}

/// Returns the type of a node that has values; NULL alone counts as text.
pub(crate) fn type_of(node: &Node) -> Type {
    match node.yields {
        Yield::Of(own) => own,
        Yield::Truth => Type::Int,
        Yield::Nothing => Type::String,
    }
}

/// Returns the value of a node that is constant whatever the data.
fn constant_value(node: &Node) -> Option<Value> {
    match &node.op {
        Op::Constant(value) => Some(value.clone()),
        Op::Apply(Function::ToFloat, arguments) => match constant_value(&arguments[0])? {
            Value::Int(number) => Some(Value::Float(number as f64)),
            other => Some(other),
        },
        Op::Apply(Function::Negate, arguments) => match constant_value(&arguments[0])? {
            Value::Int(number) => Some(Value::Int(-number)),
            Value::Float(number) => Some(Value::Float(-number)),
            _ => None,
        },
        _ => None,
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
