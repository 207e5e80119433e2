//! Patterns over the activities of a case, before anything is known of the
//! data: what stands behind `PROCESS EQUALS`, in `MATCH_PROCESS` and in
//! `MATCH_PROCESS_REGEX`.

use super::syntax::{Expr, Span};

/// One activity, or all that fit a pattern with wildcards.
#[derive(Clone, Debug, PartialEq)]
pub struct ActivityName {
    /// `LIKE 'x%'`.
    pub like: bool,
    /// A text or a variable.
    pub name: Expr,
}

/// `PROCESS [ON column] [NOT] EQUALS [START] step TO step … [END]`.
#[derive(Clone, Debug, PartialEq)]
pub struct ProcessEquals {
    /// After ON.
    pub column: Option<Box<Expr>>,
    /// `NOT EQUALS`.
    pub negated: bool,
    /// The first step is the first event.
    pub from_start: bool,
    /// One event each, in a row.
    pub steps: Vec<Step>,
    /// The last step is the last event.
    pub to_end: bool,
}

/// One event of `PROCESS EQUALS`.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// `ANY`.
    Any,
    /// `'A'` or `('A', LIKE 'x%')`.
    OneOf(Vec<ActivityName>),
}

/// A pattern of `MATCH_PROCESS_REGEX`.
#[derive(Clone, Debug, PartialEq)]
pub enum Pattern {
    /// `'A'`, `['A', 'B']` or `[! 'A', 'B']`.
    OneOf {
        /// The activities.
        names: Vec<ActivityName>,
        /// Any other one.
        negated: bool,
    },
    /// `ANY`.
    Any,
    /// `^`.
    Start,
    /// `$`.
    End,
    /// What another pattern was called.
    Named {
        /// The name.
        name: String,
        /// Where it stands.
        span: Span,
    },
    /// `x >> y`, at least two.
    Sequence(Vec<Pattern>),
    /// `x | y`, at least two.
    Either(Vec<Pattern>),
    /// `x*`, `x+`, `x?`, `x{m,n}`.
    Repeat {
        /// What is repeated.
        pattern: Box<Pattern>,
        /// So often at least.
        least: u32,
        /// So often at most.
        most: Option<u32>,
    },
}

/// `MATCH_PROCESS_REGEX([column,] x AS "name", …, y)`.
#[derive(Clone, Debug, PartialEq)]
pub struct MatchRegex {
    /// The values; the activities if there is none.
    pub column: Option<Box<Expr>>,
    /// Patterns with names, for use in those behind them.
    pub definitions: Vec<(String, Pattern)>,
    /// The pattern.
    pub pattern: Pattern,
}

/// `MATCH_PROCESS([column,] node, … CONNECTED BY edge, …)`.
#[derive(Clone, Debug, PartialEq)]
pub struct MatchProcess {
    /// The values; the activities if there is none.
    pub column: Option<Box<Expr>>,
    /// At least one.
    pub nodes: Vec<PatternNode>,
    /// Between nodes.
    pub edges: Vec<PatternEdge>,
}

/// `NODE['A', 'B'] AS n`.
#[derive(Clone, Debug, PartialEq)]
pub struct PatternNode {
    /// How often and where.
    pub kind: NodeKind,
    /// One of them.
    pub names: Vec<ActivityName>,
    /// How edges call it.
    pub name: String,
    /// Where it stands.
    pub span: Span,
}

/// How often a node of `MATCH_PROCESS` occurs, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are those of the language")]
pub enum NodeKind {
    Node,
    Optional,
    Loop,
    OptionalLoop,
    Starting,
    Ending,
}

impl NodeKind {
    /// All of them, with their words.
    pub const ALL: [(&'static str, NodeKind); 6] = [
        ("NODE", NodeKind::Node),
        ("OPTIONAL", NodeKind::Optional),
        ("LOOP", NodeKind::Loop),
        ("OPTIONAL_LOOP", NodeKind::OptionalLoop),
        ("STARTING", NodeKind::Starting),
        ("ENDING", NodeKind::Ending),
    ];

    /// Returns the word.
    pub fn word(self) -> &'static str {
        Self::ALL.iter().find(|(_, kind)| *kind == self).map_or("NODE", |(word, _)| word)
    }
}

/// `DIRECT[a, b]` or `EVENTUALLY[a, b]`.
#[derive(Clone, Debug, PartialEq)]
pub struct PatternEdge {
    /// Nothing stands between.
    pub direct: bool,
    /// The earlier node.
    pub from: String,
    /// The later node.
    pub to: String,
    /// Where it stands.
    pub span: Span,
}
