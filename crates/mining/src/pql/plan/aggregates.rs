//! Values that other rows have a part in: pulled up, aggregated over a result,
//! taken from the rows around or from a table that is not joined.

use std::sync::Arc;

use super::{Grain, Node, Way};
use crate::value::Type;

/// How values are aggregated.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Aggregation {
    /// How many there are.
    Count,
    /// How many different ones there are.
    CountDistinct,
    /// Their sum.
    Sum,
    /// Their mean.
    Avg,
    /// The smallest.
    Min,
    /// The largest.
    Max,
    /// The first in an order.
    First,
    /// The last in an order.
    Last,
    /// The element at floor(q * n) of the sorted values, at most the last.
    Quantile(f64),
    /// The point at q * (n - 1) of the sorted values, between two of them if
    /// need be.
    QuantileLinear(f64),
    /// The standard deviation of a sample; 0 for a single value.
    Stdev,
    /// The variance of a sample; 0 for a single value.
    Var,
    /// The most frequent, the smallest of those.
    Mode,
    /// Their product.
    Product,
    /// The mean without so many percent of the smallest and of the largest.
    TrimmedMean(f64, f64),
    /// The texts one after another in an order, with a delimiter between.
    StringAgg,
}

impl Aggregation {
    /// Tells whether the order of the values has a part in what comes out.
    pub fn is_ordered(self) -> bool {
        matches!(self, Aggregation::First | Aggregation::Last | Aggregation::StringAgg)
    }

    /// Returns the type of what comes out of values of a type.
    pub fn result(self, own: Type) -> Type {
        match self {
            Aggregation::Count | Aggregation::CountDistinct => Type::Int,
            Aggregation::Avg | Aggregation::Stdev | Aggregation::Var | Aggregation::TrimmedMean(..) => Type::Float,
            Aggregation::QuantileLinear(_) if own == Type::Int => Type::Float,
            _ => own,
        }
    }
}

/// Values of the N-side on their way up.
#[derive(Clone, Debug)]
pub struct PullUp {
    /// How they are aggregated.
    pub aggregation: Aggregation,
    /// What is aggregated.
    pub value: Node,
    /// Which rows count.
    pub filter: Option<Node>,
    /// For FIRST, LAST and STRING_AGG; empty for the order of events or of
    /// arrival.
    pub order: Vec<(Node, bool)>,
    /// What STRING_AGG puts between two texts.
    pub delimiter: Arc<str>,
    /// The common table of value, filter and order.
    pub from: Grain,
}

/// An aggregate over the rows of a result.
#[derive(Clone, Debug)]
pub enum Aggregate {
    /// Values of an expression.
    Of(Reduction),
    /// Different rows of a table.
    Rows(usize),
}

/// What is aggregated, and how.
#[derive(Clone, Debug)]
pub struct Reduction {
    /// How.
    pub aggregation: Aggregation,
    /// What.
    pub value: Node,
    /// For FIRST, LAST and STRING_AGG; empty for the order of events or of
    /// arrival.
    pub order: Vec<(Node, bool)>,
    /// What STRING_AGG puts between two texts.
    pub delimiter: Arc<str>,
}

/// An aggregate of its own.
#[derive(Clone, Debug)]
pub struct Global {
    /// The common table of its aggregates.
    pub grain: Grain,
    /// The FILTERs of the query, on that table.
    pub conditions: Vec<(Node, Way)>,
    /// What all rows are reduced to.
    pub aggregates: Vec<Aggregate>,
    /// What is made of the aggregates, on one group.
    pub value: Node,
}

/// An aggregate over the rows of a result that stand around a row.
#[derive(Clone, Debug)]
pub struct Moving {
    /// How the values are aggregated.
    pub aggregation: Aggregation,
    /// What is aggregated.
    pub value: Node,
    /// The first row, counted from the own one.
    pub start: i64,
    /// The last row, counted from the own one.
    pub end: i64,
}

/// A value that depends on the rows around.
#[derive(Clone, Debug)]
pub struct Window {
    /// What is computed.
    pub kind: WindowKind,
    /// Of what.
    pub value: Node,
    /// The order of the rows; empty for the order of events or of arrival.
    pub order: Vec<(Node, bool)>,
    /// Only rows with the same values here see each other.
    pub partition: Vec<Node>,
}

/// What is computed of the rows around.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum WindowKind {
    /// The 1-based position among the rows that have a value.
    Index,
    /// The k-th next (or previous, below 0) value.
    Neighbour(i64),
    /// The sum of the values up to the row.
    RunningSum,
    /// The mean of the values between two offsets, both inclusive.
    Average(i64, i64),
    /// By how many standard deviations a value is above the mean.
    ZScore,
    /// What is missing becomes the value before.
    FillConstant,
    /// What is missing becomes a point of the line between its neighbours.
    FillLinear,
}

/// A value of a table that is not joined.
#[derive(Clone, Debug)]
pub struct Lookup {
    /// The value that is fetched.
    pub value: Node,
    /// Pairs of keys that have to be equal, each on the node's grain and on
    /// the value's.
    pub keys: Vec<(Node, Node)>,
}
