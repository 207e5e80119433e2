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

/// The expressions inside of patterns: columns and names.
impl ProcessEquals {
    /// Lists them.
    pub(crate) fn parts(&self) -> Vec<&Expr> {
        let names = self.steps.iter().flat_map(|step| match step {
            Step::Any => &[],
            Step::OneOf(names) => &names[..],
        });
        self.column.as_deref().into_iter().chain(names.map(|name| &name.name)).collect()
    }

    /// Lists them to be changed.
    pub(crate) fn parts_mut(&mut self) -> Vec<&mut Expr> {
        let names = self.steps.iter_mut().flat_map(|step| match step {
            Step::Any => &mut [],
            Step::OneOf(names) => &mut names[..],
        });
        self.column.as_deref_mut().into_iter().chain(names.map(|name| &mut name.name)).collect()
    }
}

impl MatchProcess {
    /// Lists them.
    pub(crate) fn parts(&self) -> Vec<&Expr> {
        let names = self.nodes.iter().flat_map(|node| &node.names).map(|name| &name.name);
        self.column.as_deref().into_iter().chain(names).collect()
    }

    /// Lists them to be changed.
    pub(crate) fn parts_mut(&mut self) -> Vec<&mut Expr> {
        let names = self.nodes.iter_mut().flat_map(|node| &mut node.names).map(|name| &mut name.name);
        self.column.as_deref_mut().into_iter().chain(names).collect()
    }
}

impl MatchRegex {
    /// Lists them.
    pub(crate) fn parts(&self) -> Vec<&Expr> {
        let mut parts: Vec<&Expr> = self.column.as_deref().into_iter().collect();
        let patterns = self.definitions.iter().map(|(_, pattern)| pattern).chain([&self.pattern]);
        patterns.for_each(|pattern| pattern.add_parts(&mut parts));
        parts
    }

    /// Lists them to be changed.
    pub(crate) fn parts_mut(&mut self) -> Vec<&mut Expr> {
        let mut parts: Vec<&mut Expr> = self.column.as_deref_mut().into_iter().collect();
        let patterns = self.definitions.iter_mut().map(|(_, pattern)| pattern).chain([&mut self.pattern]);
        patterns.for_each(|pattern| pattern.add_parts_mut(&mut parts));
        parts
    }
}

impl Pattern {
    fn add_parts<'a>(&'a self, parts: &mut Vec<&'a Expr>) {
        match self {
            Pattern::OneOf { names, .. } => parts.extend(names.iter().map(|name| &name.name)),
            Pattern::Any | Pattern::Start | Pattern::End | Pattern::Named { .. } => {}
            Pattern::Sequence(patterns) | Pattern::Either(patterns) => {
                for pattern in patterns {
                    pattern.add_parts(parts);
                }
            }
            Pattern::Repeat { pattern, .. } => pattern.add_parts(parts),
        }
    }

    fn add_parts_mut<'a>(&'a mut self, parts: &mut Vec<&'a mut Expr>) {
        match self {
            Pattern::OneOf { names, .. } => parts.extend(names.iter_mut().map(|name| &mut name.name)),
            Pattern::Any | Pattern::Start | Pattern::End | Pattern::Named { .. } => {}
            Pattern::Sequence(patterns) | Pattern::Either(patterns) => {
                for pattern in patterns {
                    pattern.add_parts_mut(parts);
                }
            }
            Pattern::Repeat { pattern, .. } => pattern.add_parts_mut(parts),
        }
    }
}
