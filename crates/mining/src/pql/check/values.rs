//! Columns, constants, and what is made of them by signs and keywords.

use super::super::Mistake;
use super::super::operators::{Want, hint};
use super::super::plan::{Function, Grain, Node, Op, Yield};
use super::super::syntax::{Arithmetic, Comparison, Expr, ExprKind, Span};
use super::statements::bound;
use super::{Checked, Checker, EXPANSIONS_MAX, type_of};
use crate::value::{Type, Value};

impl<'a> Checker<'a> {
    pub(super) fn any(&mut self, expr: &Expr) -> Checked<Node> {
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
                self.expanding(&format!("variable \"{name}\""), None, span, |checker| checker.any(&value))
            }
            ExprKind::Int(number) => Ok(self.constant(Value::Int(*number), span)),
            ExprKind::Float(number) => Ok(self.constant(Value::Float(*number), span)),
            ExprKind::Text(text) => {
                let text = self.fill_in(text, span)?;
                Ok(self.constant(Value::Text(text.into()), span))
            }
            ExprKind::Date(millis) => Ok(self.constant(Value::Date(*millis), span)),
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
                let value = wanted(value, Want::Text)?;
                let like = self.like(value, pattern, span)?;
                Ok(self.not(like, *negated, span))
            }
            ExprKind::InLike { value, list, negated } => {
                let value = self.value_of(value)?;
                let value = wanted(value, Want::Text)?;
                let mut likes = Vec::new();
                for pattern in &self.spliced(list)? {
                    likes.push(self.like(value.clone(), pattern, span)?);
                }
                let any = self.any_of(likes, span)?;
                Ok(self.not(any, *negated, span))
            }
            ExprKind::IsNull { value, negated } => {
                let value = self.value_of(value)?;
                let grain = value.grain;
                let is_null = self.node(Op::IsNull(Box::new(value)), Yield::Truth, grain, span);
                Ok(self.not(is_null, *negated, span))
            }
            ExprKind::Case { branches, otherwise } => self.case(branches, otherwise.as_deref(), span),
            ExprKind::Call(call) => self.call(call, span),
            ExprKind::Process(process) => self.process_equals(process, span),
            ExprKind::MatchProcess(pattern) => self.match_process(pattern, span),
            ExprKind::MatchRegex(pattern) => self.match_regex(pattern, span),
            ExprKind::Edges { .. } => Err(Mistake::new(span, "WITH START and WITH END belong into SOURCE and TARGET")),
            ExprKind::Bracket { word, .. } if word.is_empty() => {
                Err(Mistake::new(span, "a list has a meaning only inside REMAP_VALUES, MULTI_IN and DATE_MATCH"))
            }
            ExprKind::Shift(_) => Err(Mistake::new(span, "a shift has a meaning only inside WEEKDAY_CALENDAR")),
            ExprKind::Bracket { word, .. } => Err(Mistake::new(
                span,
                format!("{word}[…] has a meaning only inside MATCH_ACTIVITIES and CALC_THROUGHPUT"),
            )),
            ExprKind::Range(..) => Err(Mistake::new(span, "… TO … has a meaning only inside CALC_THROUGHPUT")),
            ExprKind::PartitionBy(_) => Err(Mistake::new(
                span,
                "PARTITION BY has a meaning only inside INDEX_ORDER, LAG, RUNNING_SUM and their kin",
            )),
            ExprKind::Tuple(_) => Err(Mistake::new(
                span,
                "a list in parentheses has a meaning only inside IN, LOOKUP, ORDER BY and PARTITION BY",
            )),
            ExprKind::Parameter(number) => Err(Mistake::new(
                span,
                format!("{{p{number}}} has a meaning only in a KPI that is called with arguments"),
            )),
            ExprKind::StaticCase { branches, otherwise } => self.static_case(branches, otherwise.as_deref(), span),
        }
    }

    pub(super) fn constant(&mut self, value: Value, span: Span) -> Node {
        let yields = match &value {
            Value::Null => Yield::Nothing,
            Value::Int(_) => Yield::Of(Type::Int),
            Value::Float(_) => Yield::Of(Type::Float),
            Value::Date(_) => Yield::Of(Type::Date),
            Value::Text(_) => Yield::Of(Type::String),
        };
        self.node(Op::Constant(value), yields, Grain::Constant, span)
    }

    pub(super) fn not(&mut self, node: Node, negated: bool, span: Span) -> Node {
        if !negated {
            return node;
        }
        let grain = node.grain;
        self.node(Op::Not(Box::new(node)), Yield::Truth, grain, span)
    }

    pub(super) fn column(&mut self, table: &str, column: &str, span: Span) -> Checked<Node> {
        let (table, column) = (&*self.fill_in_name(table, span)?, &*self.fill_in_name(column, span)?);
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
            let (text, expr) = self.meaning(&name, text, span)?;
            return self.expanding(&name, Some(&text), span, |checker| checker.value_of(&expr));
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

    pub(super) fn not_a_value(&self, name: &str, span: Span) -> Mistake {
        if self.program.catalog.table(name).is_some() {
            return Mistake::new(
                span,
                format!("\"{name}\" is a table; name a column of it, as in \"{name}\".\"COLUMN\""),
            );
        }
        Mistake::new(span, format!("\"{name}\" is no value; a column is written \"TABLE\".\"COLUMN\", a text 'text'"))
    }

    /// Checks what a name stands for; a mistake in there is told at the name,
    /// with its place in the text that the name stands for.
    pub(super) fn expanding<T>(
        &mut self,
        name: &str,
        text: Option<&str>,
        span: Span,
        check: impl FnOnce(&mut Self) -> Checked<T>,
    ) -> Checked<T> {
        if let Some(first) = self.expanding.iter().position(|known| known == name) {
            let over = self.expanding[first + 1..].join(", ");
            let over = if over.is_empty() { over } else { format!(" over {over}") };
            return Err(Mistake::new(span, format!("{name} refers to itself{over}")));
        }
        if self.expanding.len() >= EXPANSIONS_MAX {
            return Err(Mistake::new(span, format!("names stand for names more than {EXPANSIONS_MAX} deep")));
        }
        self.count_expansion(span)?;
        self.expanding.push(name.to_owned());
        let checked = check(self);
        self.expanding.pop();
        checked.map_err(|mistake| {
            let detail = match text {
                Some(text) => mistake.place(text).to_string(),
                None => mistake.detail,
            };
            Mistake::new(span, format!("in {name}: {detail}"))
        })
    }

    /// Returns what a variable stands for: a number or an expression if its
    /// value is one, else its text. It is bound as a whole, so that a value
    /// can never break out of its place.
    pub(super) fn variable(&self, name: &str, span: Span) -> Checked<Expr> {
        Ok(bound(self.variable_text(name, span)?, span))
    }

    pub(super) fn variable_text(&self, name: &str, span: Span) -> Checked<&'a str> {
        let known = &self.vocabulary.variables;
        known.get(name).map(String::as_str).ok_or_else(|| {
            let hint = hint(name, known.keys().map(String::as_str));
            Mistake::new(span, format!("there is no variable \"{name}\"{hint}"))
        })
    }

    /// Fills variables into a text constant.
    pub(super) fn fill_in(&self, text: &str, span: Span) -> Checked<String> {
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

    pub(super) fn number(&mut self, expr: &Expr) -> Checked<Node> {
        let node = self.value_of(expr)?;
        wanted(node, Want::Number)
    }

    /// Gives nodes one type, the widest of theirs.
    pub(super) fn alike(&mut self, nodes: Vec<Node>, span: Span) -> Checked<(Vec<Node>, Type)> {
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
                        format!(
                            "{} and {} do not go together here",
                            with_article(&known.to_string()),
                            with_article(&own.to_string())
                        ),
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

    pub(super) fn widen(&mut self, node: Node, to: Type, span: Span) -> Checked<Node> {
        match (node.yields, to) {
            (Yield::Nothing, _) => Ok(Node { yields: Yield::Of(to), ..node }),
            (Yield::Of(Type::Int), Type::Float) => self.apply(Function::ToFloat, vec![node], Type::Float, span),
            _ => Ok(node),
        }
    }

    pub(super) fn arithmetic(&mut self, operator: Arithmetic, left: &Expr, right: &Expr, span: Span) -> Checked<Node> {
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

    pub(super) fn concat(&mut self, parts: Vec<Node>, span: Span) -> Checked<Node> {
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

    pub(super) fn compare(&mut self, comparison: Comparison, left: Node, right: Node, span: Span) -> Checked<Node> {
        let (parts, _) = self.alike(vec![left, right], span)?;
        let grain = self.common_of(&parts.iter().collect::<Vec<_>>())?;
        let [left, right] = <[Node; 2]>::try_from(parts).expect("two went in");
        Ok(self.node(Op::Compare(comparison, Box::new(left), Box::new(right)), Yield::Truth, grain, span))
    }

    pub(super) fn is_in(&mut self, value: &Expr, list: &[Expr], negated: bool, span: Span) -> Checked<Node> {
        let value = self.value_of(value)?;
        let mut nodes = vec![value];
        for item in &self.spliced(list)? {
            nodes.push(self.value_of(item)?);
        }
        if nodes.len() == 1 {
            return Err(Mistake::new(span, "IN needs at least one value; ask with ARGUMENT_COUNT before, as in IF"));
        }
        let (mut nodes, _) = self.alike(nodes, span)?;
        let value = nodes.remove(0);
        let constants: Option<Vec<Value>> = nodes.iter().map(constant_value).collect();
        if let Some(constants) = constants.filter(|constants| !constants.contains(&Value::Null)) {
            let grain = value.grain;
            let is_in = self.node(Op::In(Box::new(value), constants), Yield::Truth, grain, span);
            return Ok(self.not(is_in, negated, span));
        }
        let mut equals = Vec::new();
        for node in nodes {
            equals.push(self.compare(Comparison::Equal, value.clone(), node, span)?);
        }
        let any = self.any_of(equals, span)?;
        Ok(self.not(any, negated, span))
    }

    fn like(&mut self, value: Node, pattern: &Expr, span: Span) -> Checked<Node> {
        let pattern = self.value_of(pattern)?;
        let pattern = wanted(pattern, Want::Text)?;
        let grain = self.common_of(&[&value, &pattern])?;
        Ok(self.node(Op::Like(Box::new(value), Box::new(pattern)), Yield::Truth, grain, span))
    }

    /// Joins conditions by OR, as a tree that is as low as can be: there may
    /// be thousands.
    pub(super) fn any_of(&mut self, mut conditions: Vec<Node>, span: Span) -> Checked<Node> {
        if conditions.is_empty() {
            return Err(Mistake::new(span, "expected at least one value to compare with"));
        }
        while conditions.len() > 1 {
            let mut joined = Vec::new();
            let mut pairs = conditions.into_iter();
            while let Some(one) = pairs.next() {
                let Some(other) = pairs.next() else {
                    joined.push(one);
                    break;
                };
                let grain = self.common_of(&[&one, &other])?;
                joined.push(self.node(Op::Or(Box::new(one), Box::new(other)), Yield::Truth, grain, span));
            }
            conditions = joined;
        }
        Ok(conditions.remove(0))
    }

    pub(super) fn case(&mut self, branches: &[(Expr, Expr)], otherwise: Option<&Expr>, span: Span) -> Checked<Node> {
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
}

/// Gives a node the type that is wanted, if it can have it.
pub(super) fn wanted(node: Node, want: Want) -> Checked<Node> {
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

fn with_article(word: &str) -> String {
    let article = if word.starts_with('I') { "an" } else { "a" };
    format!("{article} {word}")
}

/// Returns the value of a node that is constant whatever the data.
pub(super) fn constant_value(node: &Node) -> Option<Value> {
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
