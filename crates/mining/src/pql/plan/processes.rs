//! What is computed over the events of a case, in their order.

use super::Node;
use crate::pql::net::Net;
use crate::pql::operators::Counting;
use crate::pql::regex::Regex;
use crate::value::Value;

/// Operators over the events of a case.
#[derive(Clone, Debug)]
pub enum Process {
    /// The k-th next (or previous, below 0) value of the case.
    Neighbour {
        /// The values.
        value: Node,
        /// How many values further on, below 0 back.
        by: i64,
    },
    /// 1-based position among values of the case.
    Position {
        /// The values.
        value: Node,
        /// Among which of them.
        counting: Counting,
        /// Counted from the end.
        reverse: bool,
    },
    /// The values in order, with commas between.
    Variant {
        /// The values.
        value: Node,
        /// Longer runs of one value are cut to this.
        run_max: Option<u32>,
    },
    /// Which values occur at all, as 1 or 0.
    Match {
        /// The values.
        value: Node,
        /// What is asked for.
        conditions: Vec<(Occurrence, Vec<String>)>,
    },
    /// Whether the values in order contain a pattern.
    Pattern {
        /// The values.
        value: Node,
        /// What is looked for.
        pattern: Regex,
        /// Whether it must not be there.
        negated: bool,
    },
    /// How many events there are that satisfy a condition and have a value.
    Rework {
        /// The condition.
        filter: Option<Node>,
        /// The value.
        value: Option<Node>,
    },
    /// The values between two boundaries, or 1 for each of them.
    Crop {
        /// The earlier boundary.
        from: Boundary,
        /// The later one.
        to: Boundary,
        /// The values.
        value: Node,
        /// Whether the values stay, rather than 1.
        keeps_values: bool,
    },
    /// Where the events of a case deviate from a model.
    Conformance {
        /// The activities.
        value: Node,
        /// The model.
        net: Net,
        /// Whether it is said in words.
        readable: bool,
    },
    /// Whether a whole case is as a model says, as 1 or 0.
    Conforms {
        /// The activities.
        value: Node,
        /// The model.
        net: Net,
    },
    /// The values of the earlier or later events of pairs.
    EdgeEnd {
        /// The values.
        value: Node,
        /// Events without a value here are left out of the pairs; the same as
        /// in the program's [`Edges`].
        filter: Option<Node>,
        /// Whether it is the earlier event.
        is_source: bool,
        /// Stands for the event that is missing in a first or last pair.
        filler: Value,
    },
    /// Units of time between two boundaries.
    Throughput {
        /// The earlier boundary.
        from: Boundary,
        /// The later one.
        to: Boundary,
        /// Whole units since 1970.
        time: Node,
        /// The activities.
        value: Node,
    },
}

/// A condition of MATCH_ACTIVITIES.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Occurrence {
    /// The first is one of them.
    Starting,
    /// All of them occur.
    Node,
    /// One of them occurs.
    NodeAny,
    /// The last is one of them.
    Ending,
    /// None of them occurs.
    Excluding,
    /// Not all of them occur.
    ExcludingAll,
}

/// A boundary of CALC_THROUGHPUT.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Boundary {
    /// The first event.
    CaseStart,
    /// The last event.
    CaseEnd,
    /// The first event of an activity.
    First(String),
    /// The last event of an activity.
    Last(String),
}

/// Which pairs of events SOURCE and TARGET make of a case.
#[derive(Clone, Debug)]
pub struct Edges {
    /// Who is paired with whom.
    pub pairing: Pairing,
    /// Events without a value here are left out.
    pub filter: Option<Node>,
    /// The same as it was written.
    pub filter_text: Option<String>,
    /// A first pair leads from nowhere to the first event.
    pub with_start: bool,
    /// A last pair leads from the last event to nowhere.
    pub with_end: bool,
    /// The call that was read first, for messages.
    pub text: String,
}

/// Who is paired with whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pairing {
    /// Each event with the next one.
    Neighbours,
    /// The first event with each later one.
    FirstToAny,
    /// The first event with each one, itself included.
    FirstToAnyWithSelf,
    /// Each earlier event with the last one.
    AnyToLast,
    /// The first event with the last one.
    FirstToLast,
}
