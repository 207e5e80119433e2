//! Writing patterns over activities.

use std::fmt::{self, Display, Formatter};

use super::{At, Level, list, name, not};
use crate::pql::pattern::{
    ActivityName, MatchProcess, MatchRegex, Pattern, PatternEdge, PatternNode, ProcessEquals, Step,
};

impl Display for ActivityName {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", if self.like { "LIKE " } else { "" }, self.name)
    }
}

impl Display for Step {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Step::Any => f.write_str("ANY"),
            Step::OneOf(names) => match &names[..] {
                [only] => write!(f, "{only}"),
                names => {
                    f.write_str("(")?;
                    list(f, names)?;
                    f.write_str(")")
                }
            },
        }
    }
}

impl Display for ProcessEquals {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("PROCESS ")?;
        if let Some(column) = &self.column {
            write!(f, "ON {} ", At(column, Level::Concat))?;
        }
        write!(f, "{}EQUALS", not(self.negated))?;
        if self.from_start {
            f.write_str(" START")?;
        }
        for (place, step) in self.steps.iter().enumerate() {
            write!(f, "{}{step}", if place == 0 { " " } else { " TO " })?;
        }
        if self.to_end {
            f.write_str(" END")?;
        }
        Ok(())
    }
}

/// Writes a pattern where at least a level is needed: 0 for alternatives, 1 for
/// sequences, 2 for repetitions, 3 for what stands alone.
struct Part<'a>(&'a Pattern, u8);

impl Display for Part<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Part(pattern, needed) = self;
        let own = match pattern {
            Pattern::Either(_) => 0,
            Pattern::Sequence(_) => 1,
            Pattern::Repeat { .. } => 2,
            _ => 3,
        };
        if own < *needed { write!(f, "({pattern})") } else { write!(f, "{pattern}") }
    }
}

impl Display for Pattern {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Pattern::Any => f.write_str("ANY"),
            Pattern::Start => f.write_str("^"),
            Pattern::End => f.write_str("$"),
            Pattern::Named { name: own, .. } => f.write_str(&name(own)),
            Pattern::OneOf { names, negated } => match &names[..] {
                [only] if !negated => write!(f, "{only}"),
                names => {
                    f.write_str(if *negated { "[! " } else { "[" })?;
                    list(f, names)?;
                    f.write_str("]")
                }
            },
            Pattern::Sequence(parts) => {
                for (place, part) in parts.iter().enumerate() {
                    let before = place.checked_sub(1).map(|before| &parts[before]);
                    f.write_str(match before {
                        None => "",
                        // Anchors lean on their neighbour.
                        Some(before) if *before == Pattern::Start || *part == Pattern::End => " ",
                        Some(_) => " >> ",
                    })?;
                    write!(f, "{}", Part(part, 2))?;
                }
                Ok(())
            }
            Pattern::Either(parts) => {
                for (place, part) in parts.iter().enumerate() {
                    write!(f, "{}{}", if place == 0 { "" } else { " | " }, Part(part, 1))?;
                }
                Ok(())
            }
            Pattern::Repeat { pattern, least, most } => {
                write!(f, "{}", Part(pattern, 3))?;
                match (least, most) {
                    (0, None) => f.write_str("*"),
                    (1, None) => f.write_str("+"),
                    (0, Some(1)) => f.write_str("?"),
                    (least, None) => write!(f, "{{{least},}}"),
                    (least, Some(most)) if least == most => write!(f, "{{{least}}}"),
                    (least, Some(most)) => write!(f, "{{{least},{most}}}"),
                }
            }
        }
    }
}

impl Display for MatchRegex {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("MATCH_PROCESS_REGEX(")?;
        if let Some(column) = &self.column {
            write!(f, "{column}, ")?;
        }
        for (own, pattern) in &self.definitions {
            write!(f, "{pattern} AS {}, ", name(own))?;
        }
        write!(f, "{})", self.pattern)
    }
}

impl Display for PatternNode {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}[", self.kind.word())?;
        list(f, &self.names)?;
        write!(f, "] AS {}", name(&self.name))
    }
}

impl Display for PatternEdge {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let word = if self.direct { "DIRECT" } else { "EVENTUALLY" };
        write!(f, "{word}[{}, {}]", name(&self.from), name(&self.to))
    }
}

impl Display for MatchProcess {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("MATCH_PROCESS(")?;
        if let Some(column) = &self.column {
            write!(f, "{column}, ")?;
        }
        list(f, &self.nodes)?;
        if !self.edges.is_empty() {
            f.write_str(" CONNECTED BY ")?;
            list(f, &self.edges)?;
        }
        f.write_str(")")
    }
}
