//! Patterns with wildcards: `%` is any run of characters, `_` any one.

/// A pattern, read.
#[derive(Clone, Debug)]
pub(super) struct Pattern {
    parts: Vec<Part>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Part {
    Run,
    Any,
    This(char),
}

impl Pattern {
    /// Reads a pattern. A backslash takes the meaning from a wildcard and from
    /// a backslash; before anything else it stands for itself.
    pub(super) fn new(pattern: &str) -> Self {
        let mut parts = Vec::new();
        let mut characters = pattern.chars().peekable();
        while let Some(character) = characters.next() {
            parts.push(match character {
                '%' => Part::Run,
                '_' => Part::Any,
                '\\' => match characters.next_if(|next| matches!(next, '%' | '_' | '\\')) {
                    Some(plain) => Part::This(plain),
                    None => Part::This('\\'),
                },
                other => Part::This(other),
            });
        }
        Pattern { parts }
    }

    /// Tells whether a text fits. A pattern without wildcard is contained,
    /// whatever the case of letters.
    pub(super) fn fits(&self, text: &str) -> bool {
        let plain: Option<String> =
            self.parts.iter().map(|part| if let Part::This(c) = part { Some(*c) } else { None }).collect();
        match plain {
            Some(plain) => text.to_lowercase().contains(&plain.to_lowercase()),
            None => matches(&self.parts, &text.chars().collect::<Vec<_>>()),
        }
    }

    /// Returns the 1-based place at which the pattern is found the n-th time,
    /// without the run that it begins with; 0 if it is not.
    pub(super) fn place_in(&self, text: &str, occurrence: i64) -> usize {
        let text: Vec<char> = text.chars().collect();
        let runs = self.parts.iter().take_while(|part| **part == Part::Run).count();
        let parts = &self.parts[runs..];
        let starts = if runs == 0 { 0..1 } else { 0..text.len().max(1) };
        let mut found = starts.filter(|start| matches(parts, &text[*start..])).map(|start| start + 1);
        match usize::try_from(occurrence - 1) {
            Ok(before) => found.nth(before).unwrap_or(0),
            Err(_) => 0,
        }
    }
}

fn matches(parts: &[Part], text: &[char]) -> bool {
    // Going back to the last run only is enough: what an earlier run could
    // take, the later one can take too.
    let (mut at, mut part, mut back) = (0, 0, None);
    while at < text.len() {
        match parts.get(part) {
            Some(Part::Run) => {
                back = Some((part, at));
                part += 1;
            }
            Some(Part::Any) => (at, part) = (at + 1, part + 1),
            Some(Part::This(character)) if *character == text[at] => (at, part) = (at + 1, part + 1),
            _ => match back {
                Some((run, from)) => {
                    back = Some((run, from + 1));
                    (at, part) = (from + 1, run + 1);
                }
                None => return false,
            },
        }
    }
    parts[part..].iter().all(|part| *part == Part::Run)
}

#[cfg(test)]
mod tests {
    use super::Pattern;

    #[test]
    fn patterns() {
        for (text, pattern, fits) in [
            ("Create Purchase Order", "purchase", true),
            ("Create Purchase Order", "Create%", true),
            ("Create Purchase Order", "create%", false),
            ("abc", "a_c", true),
            ("abbc", "a_c", false),
            ("aXbXc", "a%X_", true),
            ("100%", "100\\%", true),
            ("100 %", "100\\%", false),
            ("a\\b", "a\\\\b", true),
            ("a\\b", "A\\B", true),
            ("ab", "a\\b", false),
            ("", "%", true),
            ("", "", true),
            ("a%", "%\\%", true),
        ] {
            assert_eq!(Pattern::new(pattern).fits(text), fits, "{text} LIKE {pattern}");
        }
    }

    #[test]
    fn places() {
        for (text, pattern, occurrence, place) in [
            ("I like database systems", "%like%", 1, 3),
            ("I like database systems", "%da__base%syst_%", 1, 8),
            ("Process mining is awesome", "%like%", 1, 0),
            ("", "%like%", 1, 0),
            ("abcabc", "%b%", 2, 5),
            ("abcabc", "%b%", 3, 0),
            ("abcabc", "%b%", -1, 0),
            ("abcabc", "abc%", 1, 1),
            ("abcabc", "abc", 1, 0),
            ("abcabc", "%abc", 1, 4),
        ] {
            assert_eq!(Pattern::new(pattern).place_in(text, occurrence), place, "{pattern} in {text}");
        }
    }
}
