//! The tree of a text, before anything is known of the data.

use super::pattern::{MatchProcess, MatchRegex, ProcessEquals};

/// Where a piece of text stands, in bytes. All spans are equal: two trees are
/// the same if they say the same, wherever it was written.
#[derive(Clone, Copy, Debug, Default)]
pub struct Span {
    /// First byte.
    pub start: u32,
    /// After the last byte.
    pub end: u32,
}

impl PartialEq for Span {
    fn eq(&self, _: &Span) -> bool {
        true
    }
}

impl Eq for Span {}

impl Span {
    /// Returns the span from the start of one to the end of the other.
    pub fn to(self, other: Span) -> Span {
        Span { start: self.start, end: other.end }
    }
}

/// An expression and its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Expr {
    /// What it says.
    pub kind: ExprKind,
    /// Where.
    pub span: Span,
}

/// What an expression says.
#[derive(Clone, Debug, PartialEq)]
pub enum ExprKind {
    /// `"TABLE"."COLUMN"`.
    Column {
        /// The table, or a record of the knowledge model.
        table: String,
        /// Its column, or the record's attribute.
        column: String,
    },
    /// `"TABLE"` or a bare word such as `HOURS`.
    Name {
        /// The word.
        name: String,
        /// Whether it stands in double quotes.
        quoted: bool,
    },
    /// `<%= NAME %>`, a variable of the knowledge model.
    Variable(String),
    /// A whole number.
    Int(i64),
    /// A number with a point or an exponent.
    Float(f64),
    /// `'text'`; a backslash before anything but a quote or a backslash is
    /// part of it.
    Text(String),
    /// `{d '2026-02-01'}`, `{ts '2026-02-01 08:30:00'}` or `{t 0}`, in
    /// milliseconds since 1970.
    Date(i64),
    /// `NULL`.
    Null,
    /// `-x`.
    Negate(Box<Expr>),
    /// `x + y` and the like.
    Arithmetic(Arithmetic, Box<Expr>, Box<Expr>),
    /// `x = y` and the like.
    Compare(Comparison, Box<Expr>, Box<Expr>),
    /// `NOT x`.
    Not(Box<Expr>),
    /// `x AND y`.
    And(Box<Expr>, Box<Expr>),
    /// `x OR y`.
    Or(Box<Expr>, Box<Expr>),
    /// `x [NOT] BETWEEN low AND high`.
    Between {
        /// What is looked at.
        value: Box<Expr>,
        /// Inclusive.
        low: Box<Expr>,
        /// Inclusive.
        high: Box<Expr>,
        /// `NOT BETWEEN`.
        negated: bool,
    },
    /// `x [NOT] IN (a, b)`.
    In {
        /// What is looked for.
        value: Box<Expr>,
        /// Where.
        list: Vec<Expr>,
        /// `NOT IN`.
        negated: bool,
    },
    /// `x [NOT] LIKE 'pattern'`.
    Like {
        /// What is looked at.
        value: Box<Expr>,
        /// The pattern.
        pattern: Box<Expr>,
        /// `NOT LIKE`.
        negated: bool,
    },
    /// `x [NOT] IN_LIKE ('pattern', …)`.
    InLike {
        /// What is looked at.
        value: Box<Expr>,
        /// The patterns.
        list: Vec<Expr>,
        /// `NOT IN_LIKE`.
        negated: bool,
    },
    /// `x IS [NOT] NULL`.
    IsNull {
        /// What is looked at.
        value: Box<Expr>,
        /// `IS NOT NULL`.
        negated: bool,
    },
    /// `CASE WHEN c THEN x … [ELSE y] END`.
    Case {
        /// Condition and value.
        branches: Vec<(Expr, Expr)>,
        /// After ELSE.
        otherwise: Option<Box<Expr>>,
    },
    /// `OPERATOR(…)`.
    Call(Call),
    /// `WORD['a', 'b']`, as `MATCH_ACTIVITIES` and `CALC_THROUGHPUT` take it;
    /// `['a', 'b']`, as `REMAP_VALUES` and `CONFORMANCE` do.
    Bracket {
        /// The word before the bracket, upper case; empty if there is none.
        word: String,
        /// What stands inside.
        items: Vec<Expr>,
    },
    /// `x TO y`, as `CALC_THROUGHPUT` takes it.
    Range(Box<Expr>, Box<Expr>),
    /// `x TO y WITH START('a') WITH END('b')`, as `SOURCE` and `TARGET` take it.
    Edges {
        /// `x TO y`.
        path: Option<Box<Expr>>,
        /// WITH START; at most one value.
        start: Option<Vec<Expr>>,
        /// WITH END; at most one value.
        end: Option<Vec<Expr>>,
    },
    /// `PROCESS EQUALS …`.
    Process(ProcessEquals),
    /// `MATCH_PROCESS(…)`.
    MatchProcess(Box<MatchProcess>),
    /// `MATCH_PROCESS_REGEX(…)`.
    MatchRegex(Box<MatchRegex>),
    /// `PARTITION BY (x, y)`, as window operators take it.
    PartitionBy(Vec<Expr>),
    /// `(x, y)`, as `LOOKUP` takes it: two or more.
    Tuple(Vec<Expr>),
    /// `{p1}`, an argument of a KPI, counted from 1.
    Parameter(u32),
    /// `STATIC CASE WHEN c THEN x … [ELSE y] END`, decided before anything is
    /// evaluated.
    StaticCase {
        /// Condition and value.
        branches: Vec<(Expr, Expr)>,
        /// After ELSE.
        otherwise: Option<Box<Expr>>,
    },
    /// `MONDAY 08:00-16:30`, as `WEEKDAY_CALENDAR` takes it.
    Shift(Shift),
}

/// A shift of a working week.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shift {
    /// The day, upper case.
    pub day: String,
    /// Begin and end in minutes after midnight; the whole day if there are
    /// none.
    pub minutes: Option<(u32, u32)>,
}

/// A call of an operator.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// Upper case.
    pub name: String,
    /// Where the name stands.
    pub name_span: Span,
    /// `COUNT(DISTINCT …)`.
    pub distinct: bool,
    /// In order.
    pub arguments: Vec<Expr>,
    /// `ORDER BY` after the arguments.
    pub order_by: Vec<OrderBy>,
}

/// One key of an order.
#[derive(Clone, Debug, PartialEq)]
pub struct OrderBy {
    /// What is compared.
    pub key: Expr,
    /// Largest first.
    pub descending: bool,
}

/// Operators between numbers, and `||` between texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Arithmetic {
    /// `+`
    Add,
    /// `-`
    Subtract,
    /// `*`
    Multiply,
    /// `/`
    Divide,
    /// `%`
    Remainder,
    /// `||`
    Concat,
}

impl Arithmetic {
    /// Returns the sign.
    pub fn sign(self) -> &'static str {
        match self {
            Arithmetic::Add => "+",
            Arithmetic::Subtract => "-",
            Arithmetic::Multiply => "*",
            Arithmetic::Divide => "/",
            Arithmetic::Remainder => "%",
            Arithmetic::Concat => "||",
        }
    }
}

/// Operators that compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Comparison {
    /// `=`
    Equal,
    /// `!=` or `<>`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
}

impl Comparison {
    /// Returns the sign.
    pub fn sign(self) -> &'static str {
        match self {
            Comparison::Equal => "=",
            Comparison::NotEqual => "!=",
            Comparison::Less => "<",
            Comparison::LessOrEqual => "<=",
            Comparison::Greater => ">",
            Comparison::GreaterOrEqual => ">=",
        }
    }

    /// Tells whether an order of two values satisfies the comparison.
    pub fn holds(self, order: std::cmp::Ordering) -> bool {
        match self {
            Comparison::Equal => order.is_eq(),
            Comparison::NotEqual => order.is_ne(),
            Comparison::Less => order.is_lt(),
            Comparison::LessOrEqual => order.is_le(),
            Comparison::Greater => order.is_gt(),
            Comparison::GreaterOrEqual => order.is_ge(),
        }
    }
}

/// A column of the result.
#[derive(Clone, Debug, PartialEq)]
pub struct QueryColumn {
    /// What it shows.
    pub value: Expr,
    /// `AS "name"`.
    pub name: Option<String>,
}

/// `IF c THEN FILTER …; … [ELSE FILTER …; …] END;`, decided before anything is
/// evaluated.
#[derive(Clone, Debug, PartialEq)]
pub struct StaticFilter {
    /// Conditions and the FILTERs that count if they are the first to hold.
    pub branches: Vec<(Expr, Vec<Expr>)>,
    /// The FILTERs that count if none holds.
    pub otherwise: Vec<Expr>,
}

/// A whole query.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Query {
    /// `DEFAULT ACTIVITY_COLUMN`.
    pub activity_column: Option<Expr>,
    /// The conditions of its FILTER statements.
    pub filters: Vec<Expr>,
    /// Its IF statements.
    pub static_filters: Vec<StaticFilter>,
    /// Whether equal rows are shown once.
    pub distinct: bool,
    /// The columns.
    pub columns: Vec<QueryColumn>,
    /// The order of rows.
    pub order_by: Vec<OrderBy>,
    /// At most so many rows.
    pub limit: Option<u64>,
    /// After so many rows.
    pub offset: Option<u64>,
}
