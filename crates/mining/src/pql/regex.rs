//! Patterns over the values of a case, checked.
//!
//! `PROCESS EQUALS`, `MATCH_PROCESS` and `MATCH_PROCESS_REGEX` all come down to
//! a [`Regex`] whose symbols are values instead of letters.

/// A pattern may need so many symbols once repetitions are written out.
pub const SYMBOLS_MAX: u64 = 20_000;

/// A pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Regex {
    /// One value.
    Symbol(Symbol),
    /// Before the first value.
    Start,
    /// After the last value.
    End,
    /// One after the other.
    Sequence(Vec<Regex>),
    /// One of them.
    Either(Vec<Regex>),
    /// The same again and again.
    Repeat {
        /// What is repeated.
        inner: Box<Regex>,
        /// So often at least.
        least: u32,
        /// So often at most.
        most: Option<u32>,
    },
}

/// Which values fit.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Symbol {
    /// One of these.
    pub names: Vec<Name>,
    /// Or rather, none of these.
    pub negated: bool,
}

/// A value by its name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Name {
    /// This one.
    Is(String),
    /// `%` is any run of characters, `_` any one of them; letters have to be
    /// written alike.
    Like(String),
}

impl Regex {
    /// Any value.
    pub fn any() -> Regex {
        Regex::Symbol(Symbol { names: Vec::new(), negated: true })
    }

    /// Any values, or none.
    pub fn gap() -> Regex {
        Regex::any().repeated(0, None)
    }

    /// The same so often.
    pub fn repeated(self, least: u32, most: Option<u32>) -> Regex {
        Regex::Repeat { inner: Box::new(self), least, most }
    }

    /// Returns how many symbols there are once repetitions are written out.
    pub fn size(&self) -> u64 {
        match self {
            Regex::Symbol(_) | Regex::Start | Regex::End => 1,
            Regex::Sequence(parts) | Regex::Either(parts) => {
                parts.iter().fold(1, |size, part| size.saturating_add(part.size()))
            }
            Regex::Repeat { inner, least, most } => {
                let times = most.map_or(u64::from(*least) + 1, u64::from).max(1);
                inner.size().saturating_mul(times).saturating_add(1)
            }
        }
    }
}

impl Symbol {
    /// Tells whether a value fits.
    pub fn takes(&self, text: &str) -> bool {
        let is_named = self.names.iter().any(|name| match name {
            Name::Is(name) => name == text,
            Name::Like(pattern) => is_like(text, pattern),
        });
        is_named != self.negated
    }
}

/// Tells whether a text fits a pattern with wildcards; a backslash takes the
/// meaning from what follows.
fn is_like(text: &str, pattern: &str) -> bool {
    let text: Vec<char> = text.chars().collect();
    // Which ends of the text's beginnings fit what was read of the pattern.
    let mut fits = vec![false; text.len() + 1];
    fits[0] = true;
    let mut characters = pattern.chars();
    while let Some(character) = characters.next() {
        if character == '%' {
            let first = fits.iter().position(|fit| *fit).unwrap_or(fits.len());
            fits[first..].fill(true);
            continue;
        }
        let wanted = if character == '\\' { characters.next().unwrap_or('\\') } else { character };
        let is_any = character == '_';
        for end in (1..fits.len()).rev() {
            fits[end] = fits[end - 1] && (is_any || text[end - 1] == wanted);
        }
        fits[0] = false;
    }
    fits[text.len()]
}

#[cfg(test)]
mod tests {
    use super::is_like;

    #[test]
    fn wildcards_fit_whole_texts_and_letters_have_to_be_written_alike() {
        for (text, pattern, fits) in [
            ("Ship", "Ship", true),
            ("Ship", "ship", false),
            ("Ship", "Sh", false),
            ("Ship it", "Ship%", true),
            ("Ship", "%h_p", true),
            ("Ship", "_", false),
            ("", "%", true),
            ("50%", "50\\%", true),
            ("500", "50\\%", false),
            ("aab", "%a%b%", true),
        ] {
            assert_eq!(is_like(text, pattern), fits, "{text} {pattern}");
        }
    }
}
