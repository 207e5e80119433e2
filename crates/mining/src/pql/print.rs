//! Writing a tree down again, with as few parentheses as it takes.

mod patterns;

use std::fmt::{self, Display, Formatter};

use base::Timestamp;

use super::syntax::{Arithmetic, Expr, ExprKind, OrderBy, Query, StaticFilter};

/// How tightly an expression holds together; see the grammar in
/// [`super::parse`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Level {
    /// Takes what it can get to its right, up to the END of a CASE.
    Process,
    Or,
    And,
    Not,
    Compare,
    Concat,
    Sum,
    Product,
    Sign,
    Single,
}

fn level(expr: &Expr) -> Level {
    match &expr.kind {
        ExprKind::Process(_) => Level::Process,
        ExprKind::Or(..) | ExprKind::Range(..) => Level::Or,
        ExprKind::And(..) => Level::And,
        ExprKind::Not(_) => Level::Not,
        ExprKind::Compare(..)
        | ExprKind::Between { .. }
        | ExprKind::In { .. }
        | ExprKind::Like { .. }
        | ExprKind::InLike { .. }
        | ExprKind::IsNull { .. } => Level::Compare,
        ExprKind::Arithmetic(operator, ..) => match operator {
            Arithmetic::Concat => Level::Concat,
            Arithmetic::Add | Arithmetic::Subtract => Level::Sum,
            Arithmetic::Multiply | Arithmetic::Divide | Arithmetic::Remainder => Level::Product,
        },
        ExprKind::Negate(_) => Level::Sign,
        _ => Level::Single,
    }
}

/// Writes an expression where at least `Level` is needed.
struct At<'a>(&'a Expr, Level);

impl Display for At<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let At(expr, needed) = self;
        if level(expr) < *needed { write!(f, "({expr})") } else { write!(f, "{expr}") }
    }
}

/// Writes `open`, the items with commas between, and `close`.
fn list(f: &mut Formatter<'_>, items: impl IntoIterator<Item = impl Display>) -> fmt::Result {
    for (place, item) in items.into_iter().enumerate() {
        let comma = if place == 0 { "" } else { ", " };
        write!(f, "{comma}{item}")?;
    }
    Ok(())
}

fn name(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\"\""))
}

/// Writes a text such that it reads back: quotes doubled, and a backslash
/// doubled where it would take the meaning from what follows.
fn text(f: &mut Formatter<'_>, content: &str) -> fmt::Result {
    f.write_str("'")?;
    let mut characters = content.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '\'' => f.write_str("''")?,
            '\\' if matches!(characters.peek(), None | Some('\'' | '\\')) => f.write_str("\\\\")?,
            other => write!(f, "{other}")?,
        }
    }
    f.write_str("'")
}

fn date(f: &mut Formatter<'_>, millis: i64) -> fmt::Result {
    let written = Timestamp::from_millis(millis).to_string();
    match written.trim_end_matches('Z').split_once('T') {
        Some((day, "00:00:00.000")) => write!(f, "{{d '{day}'}}"),
        Some((day, time)) => write!(f, "{{ts '{day} {}'}}", time.trim_end_matches(".000")),
        None => write!(f, "{{t {millis}}}"),
    }
}

fn not(negated: bool) -> &'static str {
    if negated { "NOT " } else { "" }
}

impl Display for Expr {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match &self.kind {
            ExprKind::Column { table, column } => write!(f, "{}.{}", name(table), name(column)),
            ExprKind::Name { name: word, quoted: true } => f.write_str(&name(word)),
            ExprKind::Name { name: word, quoted: false } => f.write_str(word),
            ExprKind::Variable(name) => write!(f, "<%= {name} %>"),
            ExprKind::Int(number) => write!(f, "{number}"),
            ExprKind::Float(number) => write!(f, "{number:?}"),
            ExprKind::Text(content) => text(f, content),
            ExprKind::Date(millis) => date(f, *millis),
            ExprKind::Null => f.write_str("NULL"),
            // A space, because two signs in a row would open a comment.
            ExprKind::Negate(value) => write!(f, "- {}", At(value, Level::Sign)),
            ExprKind::Arithmetic(operator, left, right) => {
                let own = level(self);
                let tighter = match own {
                    Level::Concat => Level::Sum,
                    Level::Sum => Level::Product,
                    _ => Level::Sign,
                };
                write!(f, "{} {} {}", At(left, own), operator.sign(), At(right, tighter))
            }
            ExprKind::Compare(comparison, left, right) => {
                write!(f, "{} {} {}", At(left, Level::Concat), comparison.sign(), At(right, Level::Concat))
            }
            ExprKind::Not(value) => write!(f, "NOT {}", At(value, Level::Not)),
            ExprKind::And(left, right) => write!(f, "{} AND {}", At(left, Level::And), At(right, Level::Not)),
            ExprKind::Or(left, right) => write!(f, "{} OR {}", At(left, Level::Or), At(right, Level::And)),
            ExprKind::Between { value, low, high, negated } => {
                let [value, low, high] = [value, low, high].map(|part| At(part, Level::Concat));
                write!(f, "{value} {}BETWEEN {low} AND {high}", not(*negated))
            }
            ExprKind::In { value, list: items, negated } => {
                write!(f, "{} {}IN (", At(value, Level::Concat), not(*negated))?;
                list(f, items)?;
                f.write_str(")")
            }
            ExprKind::Like { value, pattern, negated } => {
                write!(f, "{} {}LIKE {}", At(value, Level::Concat), not(*negated), At(pattern, Level::Concat))
            }
            ExprKind::InLike { value, list: items, negated } => {
                write!(f, "{} {}IN_LIKE (", At(value, Level::Concat), not(*negated))?;
                list(f, items)?;
                f.write_str(")")
            }
            ExprKind::IsNull { value, negated } => {
                write!(f, "{} IS {}NULL", At(value, Level::Concat), not(*negated))
            }
            ExprKind::Case { branches, otherwise } | ExprKind::StaticCase { branches, otherwise } => {
                f.write_str(if matches!(self.kind, ExprKind::StaticCase { .. }) { "STATIC CASE" } else { "CASE" })?;
                for (condition, value) in branches {
                    write!(f, " WHEN {condition} THEN {}", At(value, Level::Or))?;
                }
                if let Some(otherwise) = otherwise {
                    write!(f, " ELSE {}", At(otherwise, Level::Or))?;
                }
                f.write_str(" END")
            }
            ExprKind::Call(call) => {
                write!(f, "{}({}", call.name, if call.distinct { "DISTINCT " } else { "" })?;
                // Between shifts there is no comma.
                let is_shift =
                    |argument: Option<&Expr>| matches!(argument, Some(Expr { kind: ExprKind::Shift(_), .. }));
                for (place, argument) in call.arguments.iter().enumerate() {
                    let between_shifts =
                        place > 0 && is_shift(call.arguments.get(place - 1)) && is_shift(Some(argument));
                    f.write_str(if place == 0 {
                        ""
                    } else if between_shifts {
                        " "
                    } else {
                        ", "
                    })?;
                    write!(f, "{argument}")?;
                }
                if !call.order_by.is_empty() {
                    f.write_str(if call.arguments.is_empty() { "ORDER BY " } else { " ORDER BY " })?;
                    list(f, &call.order_by)?;
                }
                f.write_str(")")
            }
            ExprKind::Bracket { word, items } => {
                write!(f, "{word}[")?;
                list(f, items)?;
                f.write_str("]")
            }
            ExprKind::Range(from, to) => write!(f, "{} TO {}", At(from, Level::Or), At(to, Level::Or)),
            ExprKind::Edges { path, start, end } => {
                let mut parts = Vec::new();
                parts.extend(path.as_ref().map(ToString::to_string));
                let ends = [("START", start), ("END", end)];
                for (word, value) in ends.into_iter().filter_map(|(word, value)| Some((word, value.as_ref()?))) {
                    parts.push(format!("WITH {word}({})", value.first().map_or_else(String::new, ToString::to_string)));
                }
                f.write_str(&parts.join(" "))
            }
            ExprKind::Process(process) => write!(f, "{process}"),
            ExprKind::MatchProcess(pattern) => write!(f, "{pattern}"),
            ExprKind::MatchRegex(pattern) => write!(f, "{pattern}"),
            ExprKind::PartitionBy(items) | ExprKind::Tuple(items) => {
                f.write_str(if matches!(self.kind, ExprKind::Tuple(_)) { "(" } else { "PARTITION BY (" })?;
                list(f, items)?;
                f.write_str(")")
            }
            ExprKind::Parameter(number) => write!(f, "{{p{number}}}"),
            ExprKind::Shift(shift) => {
                f.write_str(&shift.day)?;
                let Some((begin, end)) = shift.minutes else { return Ok(()) };
                write!(f, " {:02}:{:02}-{:02}:{:02}", begin / 60, begin % 60, end / 60, end % 60)
            }
        }
    }
}

impl Display for OrderBy {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.key, if self.descending { " DESC" } else { "" })
    }
}

impl Display for StaticFilter {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for (place, (condition, filters)) in self.branches.iter().enumerate() {
            write!(f, "{} {condition} THEN", if place == 0 { "IF" } else { " ELSE IF" })?;
            for filter in filters {
                write!(f, " FILTER {filter};")?;
            }
        }
        if !self.otherwise.is_empty() {
            f.write_str(" ELSE")?;
            for filter in &self.otherwise {
                write!(f, " FILTER {filter};")?;
            }
        }
        f.write_str(" END")
    }
}

impl Display for Query {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if let Some(column) = &self.activity_column {
            writeln!(f, "DEFAULT ACTIVITY_COLUMN {column};")?;
        }
        for filter in &self.filters {
            writeln!(f, "FILTER {filter};")?;
        }
        for filter in &self.static_filters {
            writeln!(f, "{filter};")?;
        }
        write!(f, "TABLE({}", if self.distinct { "DISTINCT " } else { "" })?;
        let columns = self.columns.iter().map(|column| match &column.name {
            Some(given) => format!("{} AS {}", column.value, name(given)),
            None => column.value.to_string(),
        });
        list(f, columns)?;
        f.write_str(")")?;
        if !self.order_by.is_empty() {
            f.write_str(" ORDER BY ")?;
            list(f, &self.order_by)?;
        }
        if let Some(limit) = self.limit {
            write!(f, " LIMIT {limit}")?;
        }
        if let Some(offset) = self.offset {
            write!(f, " OFFSET {offset}")?;
        }
        f.write_str(";")
    }
}
