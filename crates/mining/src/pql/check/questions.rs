//! What a query is asked with beyond its own words: conditions with typed
//! constants, filters of the model, tables whose rows the answer must show.

use super::super::plan::{Grain, Node, Op, Yield};
use super::super::syntax::{Comparison, Expr, Span};
use super::{Checked, Checker};
use crate::value::Value;

/// What a query is asked with beyond its own words.
#[derive(Clone, Debug, Default)]
pub struct More {
    /// All of these hold.
    pub conditions: Vec<Condition>,
    /// These hold too, where their tables and the answer's are joined.
    pub where_joined: Vec<Expr>,
    /// Catalog places of tables that the common table must reach: without
    /// aggregates there is at least one row for each of theirs.
    pub stands_on: Vec<usize>,
}

/// A condition that was not written in PQL: its constants have their types.
#[derive(Clone, Debug, PartialEq)]
pub enum Condition {
    /// Two values compared.
    Compare(Expr, Comparison, Value),
    /// One of several.
    In(Expr, Vec<Value>),
    /// A text fits a pattern, as LIKE has it.
    Like(Expr, String),
    /// There is no value.
    IsNull(Expr),
    /// Both hold.
    And(Box<Condition>, Box<Condition>),
    /// At least one holds.
    Or(Box<Condition>, Box<Condition>),
    /// It does not hold.
    Not(Box<Condition>),
}

/// The same, checked.
pub(super) struct CheckedMore {
    pub(super) where_joined: Vec<Node>,
    pub(super) stands_on: Vec<Grain>,
}

impl Checker<'_> {
    pub(super) fn more(&mut self, more: &More) -> Checked<CheckedMore> {
        for condition in &more.conditions {
            let node = self.condition_of(condition)?;
            self.filters.push(node);
        }
        let mut where_joined = Vec::new();
        for filter in &more.where_joined {
            where_joined.push(self.truth_of(filter)?);
        }
        Ok(CheckedMore { where_joined, stands_on: more.stands_on.iter().map(|table| Grain::Table(*table)).collect() })
    }

    fn condition_of(&mut self, condition: &Condition) -> Checked<Node> {
        let span = Span::default();
        match condition {
            Condition::Compare(expr, comparison, value) => {
                let left = self.value_of(expr)?;
                let right = self.constant(value.clone(), span);
                self.compare(*comparison, left, right, span)
            }
            Condition::In(expr, values) => {
                let value = self.value_of(expr)?;
                let grain = value.grain;
                Ok(self.node(Op::In(Box::new(value), values.clone()), Yield::Truth, grain, span))
            }
            Condition::Like(expr, pattern) => {
                let value = Box::new(self.value_of(expr)?);
                let grain = value.grain;
                let pattern = Box::new(self.constant(Value::Text(pattern.as_str().into()), span));
                Ok(self.node(Op::Like(value, pattern), Yield::Truth, grain, span))
            }
            Condition::IsNull(expr) => {
                let value = Box::new(self.value_of(expr)?);
                let grain = value.grain;
                Ok(self.node(Op::IsNull(value), Yield::Truth, grain, span))
            }
            Condition::And(one, two) | Condition::Or(one, two) => {
                let one = Box::new(self.condition_of(one)?);
                let two = Box::new(self.condition_of(two)?);
                let grain = self.common_of(&[&one, &two])?;
                let is_and = matches!(condition, Condition::And(..));
                let op = if is_and { Op::And(one, two) } else { Op::Or(one, two) };
                Ok(self.node(op, Yield::Truth, grain, span))
            }
            Condition::Not(inner) => {
                let inner = self.condition_of(inner)?;
                Ok(self.not(inner, true, span))
            }
        }
    }
}
