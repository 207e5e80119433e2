//! Texts.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;

use super::{ANY, Function, at, copies, function, text_at, whole_at};
use crate::mapping::evaluate::equal;
use crate::pattern::Pattern;
use crate::value::Value;

/// What `encodeURIComponent` leaves alone.
const COMPONENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'!')
    .remove(b'~')
    .remove(b'*')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')');

pub(super) const FUNCTIONS: &[Function] = &[
    function("length", "length(text, bytes or array)", 1, 1, |arguments, _| {
        Ok(Value::Int(match &arguments[0] {
            Value::Array(values) => values.len() as i64,
            Value::Buffer(bytes) => bytes.len() as i64,
            other => other.to_text().chars().count() as i64,
        }))
    }),
    function("lower", "lower(text)", 1, 1, |arguments, _| Ok(Value::text(text_at(arguments, 0).to_lowercase()))),
    function("upper", "upper(text)", 1, 1, |arguments, _| Ok(Value::text(text_at(arguments, 0).to_uppercase()))),
    function("trim", "trim(text)", 1, 1, |arguments, _| Ok(Value::text(text_at(arguments, 0).trim()))),
    function("capitalize", "capitalize(text)", 1, 1, |arguments, _| {
        Ok(Value::text(capital(&text_at(arguments, 0), false)))
    }),
    function("startcase", "startcase(text)", 1, 1, |arguments, _| {
        let text = text_at(arguments, 0);
        Ok(Value::text(text.split(' ').map(|word| capital(word, true)).collect::<Vec<_>>().join(" ")))
    }),
    function("replace", "replace(text; search; new)", 3, 3, |arguments, _| replace(arguments)),
    function("substring", "substring(text; start; end)", 3, 3, |arguments, _| {
        let (start, end) = (whole_at(arguments, 1)?.max(0), whole_at(arguments, 2)?.max(0));
        let text = text_at(arguments, 0);
        let length = usize::try_from(end - start).unwrap_or(0);
        Ok(Value::text(text.chars().skip(start as usize).take(length).collect::<String>()))
    }),
    function("split", "split(text; separator)", 2, 2, |arguments, _| {
        let (text, separator) = (text_at(arguments, 0), text_at(arguments, 1));
        Ok(Value::array(if separator.is_empty() {
            text.chars().map(|letter| Value::text(letter.to_string())).collect()
        } else {
            text.split(&separator).map(Value::text).collect()
        }))
    }),
    function("indexOf", "indexOf(text; part; [start])", 2, 3, |arguments, _| {
        let (text, part) = (text_at(arguments, 0), text_at(arguments, 1));
        let start = if arguments.len() > 2 { whole_at(arguments, 2)?.max(0) as usize } else { 0 };
        let skipped: usize = text.chars().take(start).map(char::len_utf8).sum();
        Ok(Value::Int(match text[skipped..].find(&part) {
            Some(byte) => text[..skipped + byte].chars().count() as i64,
            None => -1,
        }))
    }),
    function("contains", "contains(text or array; part)", 2, 2, |arguments, around| {
        let zone = around.zone();
        Ok(Value::Bool(match &arguments[0] {
            Value::Array(values) => values.iter().any(|value| equal(value, &arguments[1], &zone)),
            other => other.to_text().contains(&text_at(arguments, 1)),
        }))
    }),
    function("encodeURL", "encodeURL(text)", 1, 1, |arguments, _| {
        Ok(Value::text(utf8_percent_encode(&text_at(arguments, 0), COMPONENT).to_string()))
    }),
    function("decodeURL", "decodeURL(text)", 1, 1, |arguments, _| {
        Ok(Value::text(percent_decode_str(&text_at(arguments, 0)).decode_utf8_lossy()))
    }),
    function("escapeHTML", "escapeHTML(text)", 1, 1, |arguments, _| {
        let mut html = String::new();
        for letter in text_at(arguments, 0).chars() {
            match letter {
                '&' => html.push_str("&amp;"),
                '<' => html.push_str("&lt;"),
                '>' => html.push_str("&gt;"),
                '"' => html.push_str("&quot;"),
                '\'' => html.push_str("&#39;"),
                other => html.push(other),
            }
        }
        Ok(Value::text(html))
    }),
    function("stripHTML", "stripHTML(text)", 1, 1, |arguments, _| {
        Ok(Value::text(without_tags(&text_at(arguments, 0))))
    }),
    function("escapeMarkdown", "escapeMarkdown(text)", 1, 1, |arguments, _| {
        let escaped = |letter: char| {
            if MARKDOWN.contains(letter) { format!("&#{};", u32::from(letter)) } else { letter.to_string() }
        };
        Ok(Value::text(text_at(arguments, 0).chars().map(escaped).collect::<String>()))
    }),
    function("ascii", "ascii(text; [remove diacritics])", 1, 2, |arguments, _| {
        let text = text_at(arguments, 0);
        let text = if at(arguments, 1).truth() { without_accents(&text) } else { text };
        Ok(Value::text(text.chars().filter(char::is_ascii).collect::<String>()))
    }),
    function("removeAccents", "removeAccents(text)", 1, 1, |arguments, _| {
        Ok(Value::text(without_accents(&text_at(arguments, 0))))
    }),
    function("replaceEmojiCharacters", "replaceEmojiCharacters(text; new)", 2, 2, |arguments, _| {
        let new = text_at(arguments, 1).replace('$', "$$");
        Ok(Value::text(Pattern::read(EMOJI, "g")?.replace(&text_at(arguments, 0), &new)?))
    }),
    function("replacePattern", "replacePattern(text; pattern; new)", 3, 3, |arguments, _| {
        let pattern = Pattern::read(&text_at(arguments, 1), "g")?;
        Ok(Value::text(pattern.replace(&text_at(arguments, 0), &text_at(arguments, 2))?))
    }),
    function("concat", "concat(separator; text; …)", 2, ANY, |arguments, _| {
        let texts: Vec<String> = arguments[1..].iter().map(Value::to_text).collect();
        let separator = text_at(arguments, 0);
        copies(texts.len(), separator.len())?;
        Ok(Value::text(texts.join(&separator)))
    }),
    function("left", "left(text; length)", 2, 2, |arguments, _| {
        let length = usize::try_from(whole_at(arguments, 1)?).unwrap_or(0);
        Ok(Value::text(text_at(arguments, 0).chars().take(length).collect::<String>()))
    }),
    function("right", "right(text; length)", 2, 2, |arguments, _| {
        let (text, length) = (text_at(arguments, 0), usize::try_from(whole_at(arguments, 1)?).unwrap_or(0));
        let skipped = text.chars().count().saturating_sub(length);
        Ok(Value::text(text.chars().skip(skipped).collect::<String>()))
    }),
    function("pascal", "pascal(text)", 1, 1, |arguments, _| {
        let text = text_at(arguments, 0);
        let words = text.split(|letter: char| !letter.is_alphanumeric()).map(|word| capital(word, true));
        Ok(Value::text(words.collect::<String>()))
    }),
    function("sortAscString", "sortAscString(text; text; …)", 1, ANY, |arguments, _| {
        let mut texts = texts(arguments);
        texts.sort();
        Ok(Value::array(texts.into_iter().map(Value::text).collect()))
    }),
    function("sortDescString", "sortDescString(text; text; …)", 1, ANY, |arguments, _| {
        let mut texts = texts(arguments);
        texts.sort_by(|left, right| right.cmp(left));
        Ok(Value::array(texts.into_iter().map(Value::text).collect()))
    }),
];

/// Collects the texts of an array, or of all arguments.
fn texts(arguments: &[Value]) -> Vec<String> {
    match arguments {
        [Value::Array(values)] => values.iter().map(Value::to_text).collect(),
        _ => arguments.iter().map(Value::to_text).collect(),
    }
}

fn capital(word: &str, rest_lower: bool) -> String {
    let mut letters = word.chars();
    let Some(first) = letters.next() else { return String::new() };
    let rest = letters.as_str();
    let rest = if rest_lower { rest.to_lowercase() } else { rest.to_owned() };
    first.to_uppercase().collect::<String>() + &rest
}

/// Replaces all occurrences of a text, or of a pattern written `/…/flags`;
/// without the flag `g` a pattern replaces its first match only.
fn replace(arguments: &[Value]) -> Result<Value, String> {
    let (text, search, new) = (text_at(arguments, 0), text_at(arguments, 1), text_at(arguments, 2));
    match Pattern::written(&search) {
        Some(pattern) => Ok(Value::text(pattern?.replace(&text, &new)?)),
        None if search.is_empty() => Ok(Value::text(text)),
        None => {
            copies(text.matches(&search).count(), new.len())?;
            Ok(Value::text(text.replace(&search, &new)))
        }
    }
}

/// Takes the marks off letters: `é` becomes `e`.
fn without_accents(text: &str) -> String {
    text.nfd().filter(|letter| !is_combining_mark(*letter)).nfc().collect()
}

/// Takes everything between `<` and `>` out, comments and quoted `>` included.
fn without_tags(html: &str) -> String {
    let mut out = String::new();
    let mut rest = html;
    while let Some(place) = rest.find('<') {
        let behind = &rest[place + 1..];
        // A `<` that no name follows is a sign of its own, as in `a < b`.
        if !behind.starts_with(|letter: char| letter.is_ascii_alphabetic() || "/!?".contains(letter)) {
            out.push_str(&rest[..=place]);
            rest = behind;
            continue;
        }
        out.push_str(&rest[..place]);
        rest = match behind.strip_prefix("!--") {
            Some(comment) => comment.find("-->").map_or("", |end| &comment[end + 3..]),
            None => behind_tag(behind),
        };
    }
    out + rest
}

fn behind_tag(tag: &str) -> &str {
    let mut quote = None;
    for (place, letter) in tag.char_indices() {
        match (quote, letter) {
            (None, '>') => return &tag[place + 1..],
            (None, '"' | '\'') => quote = Some(letter),
            (Some(open), letter) if open == letter => quote = None,
            _ => {}
        }
    }
    ""
}

/// Letters with a meaning in Markdown, which `escapeMarkdown` writes as
/// references to their numbers.
const MARKDOWN: &str = "\\`*_{}[]()#+-.!|<>~";

/// Pictures, with all that joins or colours them; flags; keys such as 1️⃣.
const EMOJI: &str = concat!(
    r"(?:\p{Regional_Indicator}{2}",
    r"|[0-9#*]\x{FE0F}?\x{20E3}",
    r"|(?:\p{Emoji_Presentation}|\p{Extended_Pictographic})\x{FE0F}?\p{Emoji_Modifier}?",
    r"(?:\x{200D}(?:\p{Emoji_Presentation}|\p{Extended_Pictographic})\x{FE0F}?\p{Emoji_Modifier}?)*)"
);
