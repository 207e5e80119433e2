//! Patterns in the manner of JavaScript.
//!
//! Whoever writes a filter or `replace(…)` has learnt regular expressions
//! there: digits are those of ASCII, a bracket inside a class is a letter, and
//! a replacement names groups by `$1` and the whole by `$&`.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::{Arc, LazyLock};

use fancy_regex::{Captures, Regex, RegexBuilder};
use parking_lot::Mutex;

use crate::value::Value;

/// Steps that a pattern may take before it counts as one that never ends.
const BACKTRACKS_MAX: usize = 100_000;

/// Matches of one pattern in one text at most.
const MATCHES_MAX: usize = 100_000;

/// Bytes that a text and what is put into it may have together.
const REPLACED_BYTES_MAX: usize = 64 << 20;

/// Patterns that are kept ready.
const KEPT_MAX: usize = 256;

/// A pattern, ready to be searched for. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Pattern {
    regex: Arc<Regex>,
    /// Flag `g`: not only the first match.
    is_global: bool,
}

/// Patterns mostly stand in the text of a flow, so the same few come again and
/// again; reading one takes longer than searching for it.
static KEPT: LazyLock<Mutex<HashMap<String, Pattern>>> = LazyLock::new(Mutex::default);

impl Pattern {
    /// Reads a pattern. Flags are letters of `dgimsuy`; of these `g` (all
    /// matches), `i` (whatever case), `m` (`^` and `$` at lines) and `s` (`.`
    /// is any letter) matter. The error is a sentence.
    pub(crate) fn read(pattern: &str, flags: &str) -> Result<Self, String> {
        let key = format!("{flags}/{pattern}");
        if let Some(kept) = KEPT.lock().get(&key) {
            return Ok(kept.clone());
        }
        let regex = RegexBuilder::new(&translated(pattern))
            .case_insensitive(flags.contains('i'))
            .multi_line(flags.contains('m'))
            .dot_matches_new_line(flags.contains('s'))
            .backtrack_limit(BACKTRACKS_MAX)
            .build()
            .map_err(|problem| format!("the pattern /{pattern}/ cannot be read: {problem}"))?;
        let read = Pattern { regex: Arc::new(regex), is_global: flags.contains('g') };
        let mut kept = KEPT.lock();
        if kept.len() >= KEPT_MAX {
            kept.clear();
        }
        kept.insert(key, read.clone());
        Ok(read)
    }

    /// Reads `/pattern/flags`; nothing if the text is not written like that.
    pub(crate) fn written(text: &str) -> Option<Result<Self, String>> {
        let (pattern, flags) = text.strip_prefix('/')?.rsplit_once('/')?;
        let is_written = !pattern.is_empty() && flags.chars().all(|flag| "dgimsuy".contains(flag));
        is_written.then(|| Pattern::read(pattern, flags))
    }

    /// Tells whether the pattern is somewhere in a text.
    pub(crate) fn is_in(&self, text: &str) -> Result<bool, String> {
        self.regex.is_match(text).map_err(|problem| format!("the pattern gave up: {problem}"))
    }

    /// Replaces the first match, or with the flag `g` all of them. In `new`
    /// stands `$&` for the match, `$1` to `$99` for its groups, `$$` for one
    /// `$`; names of groups are refused, as they are in the original.
    pub(crate) fn replace(&self, text: &str, new: &str) -> Result<String, String> {
        if new.contains("$<") {
            return Err("a replacement cannot name a group by $<…>, only by its number".to_owned());
        }
        let groups = self.regex.captures_len() - 1;
        let times = usize::from(!self.is_global);
        let new = numbered(new, groups);
        let mut bytes = text.len();
        let with = |found: &Captures<'_, str>| {
            let mut put = String::new();
            // Behind the limit nothing is written any more, and it is refused.
            if bytes <= REPLACED_BYTES_MAX {
                found.expand(&new, &mut put);
                bytes += put.len();
            }
            put
        };
        let replaced = self.regex.try_replacen(text, times, with).map(std::borrow::Cow::into_owned);
        let replaced = replaced.map_err(|problem| format!("the pattern gave up: {problem}"))?;
        if bytes > REPLACED_BYTES_MAX {
            return Err(format!("the text would have more than {REPLACED_BYTES_MAX} bytes"));
        }
        Ok(replaced)
    }
}

/// A place that matched.
pub(crate) struct Match {
    /// The whole first, then the groups; absent where a group has no part in it.
    pub(crate) groups: Vec<Value>,
    /// Names of groups, with their numbers.
    pub(crate) names: Vec<(String, usize)>,
}

impl Pattern {
    /// Returns the first match, or with the flag `g` all of them. There are
    /// at most 100,000.
    pub(crate) fn matches(&self, text: &str) -> Result<Vec<Match>, String> {
        let most = if self.is_global { MATCHES_MAX } else { 1 };
        let mut found = Vec::new();
        for captured in self.regex.captures_iter(text).take(most + 1) {
            let captured = captured.map_err(|problem| format!("the pattern gave up: {problem}"))?;
            if found.len() == MATCHES_MAX {
                return Err(format!("the pattern matches more than {MATCHES_MAX} times"));
            }
            let groups = captured.iter().map(|group| group.map_or(Value::Absent, |group| Value::text(group.as_str())));
            let names = self.regex.capture_names().enumerate();
            let names = names.filter_map(|(number, name)| Some((name?.to_owned(), number)));
            found.push(Match { groups: groups.collect(), names: names.collect() });
            if found.len() == most && !self.is_global {
                break;
            }
        }
        Ok(found)
    }
}

/// Rewrites what means something else, or nothing, outside of JavaScript.
fn translated(pattern: &str) -> String {
    let mut out = String::new();
    let mut letters = pattern.chars().peekable();
    let (mut is_in_class, mut is_first_in_class) = (false, false);
    while let Some(letter) = letters.next() {
        let was_first = std::mem::take(&mut is_first_in_class);
        match letter {
            '\\' => match letters.next() {
                Some('d') => out.push_str("[0-9]"),
                Some('D') => out.push_str("[^0-9]"),
                Some('w') => out.push_str("[A-Za-z0-9_]"),
                Some('W') => out.push_str("[^A-Za-z0-9_]"),
                Some('/') => out.push('/'),
                Some(other) => {
                    out.push('\\');
                    out.push(other);
                }
                None => out.push('\\'),
            },
            '[' if is_in_class => out.push_str("\\["),
            '[' => {
                is_in_class = true;
                is_first_in_class = true;
                out.push('[');
                if letters.peek() == Some(&'^') {
                    letters.next();
                    out.push('^');
                }
            }
            // `[]` holds nothing there, and `[^]` everything.
            ']' if is_in_class && was_first => {
                is_in_class = false;
                out.push_str("&&[^\\s\\S]]");
                if out.ends_with("[^&&[^\\s\\S]]") {
                    out.truncate(out.len() - "[^&&[^\\s\\S]]".len());
                    out.push_str("[\\s\\S]");
                }
            }
            ']' => {
                is_in_class = false;
                out.push(']');
            }
            // Doubled, these are operators on classes here and letters there.
            '&' | '~' | '-' if is_in_class && letters.peek() == Some(&letter) => {
                out.push('\\');
                out.push(letter);
            }
            other => out.push(other),
        }
    }
    out
}

/// Rewrites a replacement: here `$1x` would name a group `1x`.
fn numbered(new: &str, groups: usize) -> String {
    let mut out = String::new();
    let mut rest = new;
    while let Some(place) = rest.find('$') {
        out.push_str(&rest[..place]);
        rest = &rest[place + 1..];
        if let Some(after) = rest.strip_prefix('&') {
            out.push_str("${0}");
            rest = after;
            continue;
        }
        if let Some(after) = rest.strip_prefix('$') {
            out.push_str("$$");
            rest = after;
            continue;
        }
        let digits = rest.bytes().take(2).take_while(u8::is_ascii_digit).count();
        // Of `$12` the 2 is a letter where there is no twelfth group.
        let named = (1..=digits).rev().find_map(|length| {
            let number: usize = rest[..length].parse().ok()?;
            (1..=groups).contains(&number).then_some((number, length))
        });
        match named {
            Some((number, length)) => {
                let _ = write!(out, "${{{number}}}");
                rest = &rest[length..];
            }
            None => out.push_str("$$"),
        }
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pattern: &str, text: &str, new: &str, expected: &str) {
        let pattern = Pattern::written(pattern).expect("it is written as a pattern").expect("it can be read");
        assert_eq!(pattern.replace(text, new).expect("it comes to an end"), expected);
    }

    #[test]
    fn patterns_mean_what_they_mean_in_javascript() {
        check(r"/\d+/", "a1b22", "#", "a#b22");
        check(r"/\d+/g", "a1b22", "#", "a#b#");
        check(r"/\d/", "٣", "#", "٣");
        check(r"/[[\]]/g", "a[b]c", "", "abc");
        check(r"/[^\w\s]/g", "a-b c!", "", "ab c");
        check(r"/a[^]b/", "a\nb", "x", "x");
        check(r"/a[]b/", "ab", "x", "ab");
        check(r"/[a&&b]/g", "a&b", ".", "...");
        check(r"/\/x/", "a/x", "y", "ay");
        check(r"/^b/m", "a\nb", "c", "a\nc");
        check(r"/(?<year>\d{4})-(\d\d)/", "2026-11", "$2.$1", "11.2026");
        check(r"/(a)(b)?/", "a", "[$1$2]", "[a]");
    }

    #[test]
    fn replacements_name_groups_by_number() {
        check("/(a)/", "a", "$12", "a2");
        check("/a/", "a", "$1", "$1");
        check("/a/", "a", "$$ $& $", "$ a $");
        let pattern = Pattern::read("(?<x>a)", "").expect("it can be read");
        assert!(pattern.replace("a", "$<x>").expect_err("it is refused").contains("number"));
    }

    #[test]
    fn a_pattern_that_never_ends_gives_up() {
        let pattern = Pattern::read("(a|b|ab)*(?>c)", "").expect("it can be read");
        assert!(pattern.is_in(&"ab".repeat(30)).is_err());
        assert!(Pattern::read("(", "").expect_err("it is refused").starts_with("the pattern /(/ cannot be read"));
    }
}
