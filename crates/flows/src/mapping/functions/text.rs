//! Texts and bytes.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use fancy_regex::RegexBuilder;
use hmac::{Hmac, KeyInit, Mac};
use md5::Md5;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use sha2::{Digest, Sha256, Sha512};

use super::{Function, at, function, text_at, whole_at};
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

/// Steps that a pattern may take before it counts as one that never ends.
const BACKTRACKS_MAX: usize = 100_000;

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
    function("contains", "contains(text or array; part)", 2, 2, |arguments, _| {
        Ok(Value::Bool(match &arguments[0] {
            Value::Array(values) => values.iter().any(|value| crate::mapping::evaluate::equal(value, &arguments[1])),
            other => other.to_text().contains(&text_at(arguments, 1)),
        }))
    }),
    function("toString", "toString(value)", 1, 1, |arguments, _| Ok(Value::text(text_at(arguments, 0)))),
    function("toBinary", "toBinary(value; [hex or base64])", 1, 2, |arguments, _| {
        let text = text_at(arguments, 0);
        let bytes = match text_at(arguments, 1).as_str() {
            "hex" => hex::decode(&text).map_err(|_| "the text is not hexadecimal")?,
            "base64" => BASE64.decode(&text).map_err(|_| "the text is not Base64")?,
            "" => return Ok(Value::Buffer(arguments[0].to_bytes())),
            other => return Err(format!("\"{other}\" is neither hex nor base64")),
        };
        Ok(Value::Buffer(bytes.into()))
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
    function("base64", "base64(text)", 1, 1, |arguments, _| Ok(Value::text(BASE64.encode(arguments[0].to_bytes())))),
    function("md5", "md5(text)", 1, 1, |arguments, _| {
        Ok(Value::text(hex::encode(Md5::digest(arguments[0].to_bytes()))))
    }),
    function("sha256", "sha256(text; [encoding]; [key]; [key encoding])", 1, 4, |arguments, _| {
        let bytes = arguments[0].to_bytes();
        let hash = match key(arguments)? {
            Some(key) => keyed(Hmac::<Sha256>::new_from_slice(&key), &bytes)?,
            None => Sha256::digest(bytes).to_vec(),
        };
        encoded(&hash, arguments)
    }),
    function("sha512", "sha512(text; [encoding]; [key]; [key encoding])", 1, 4, |arguments, _| {
        let bytes = arguments[0].to_bytes();
        let hash = match key(arguments)? {
            Some(key) => keyed(Hmac::<Sha512>::new_from_slice(&key), &bytes)?,
            None => Sha512::digest(bytes).to_vec(),
        };
        encoded(&hash, arguments)
    }),
];

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
    let pattern = search.strip_prefix('/').and_then(|rest| rest.rsplit_once('/'));
    let Some((pattern, flags)) = pattern.filter(|(_, flags)| flags.chars().all(|flag| "gimsu".contains(flag))) else {
        return Ok(Value::text(if search.is_empty() { text } else { text.replace(&search, &new) }));
    };
    let regex = RegexBuilder::new(pattern)
        .case_insensitive(flags.contains('i'))
        .multi_line(flags.contains('m'))
        .dot_matches_new_line(flags.contains('s'))
        .backtrack_limit(BACKTRACKS_MAX)
        .build()
        .map_err(|problem| format!("the pattern {search} cannot be read: {problem}"))?;
    // JavaScript writes `$&` for the whole match, and `$1x` means group 1.
    let new = javascript_groups(&new);
    let times = usize::from(!flags.contains('g'));
    let replaced = regex
        .try_replacen(&text, times, new.as_str())
        .map_err(|problem| format!("the pattern {search} gave up: {problem}"))?;
    Ok(Value::text(replaced))
}

fn javascript_groups(new: &str) -> String {
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
        let digits = rest.len() - rest.trim_start_matches(|letter: char| letter.is_ascii_digit()).len();
        if digits == 0 {
            out.push_str("$$");
        } else {
            let digits = digits.min(2);
            out.push_str("${");
            out.push_str(&rest[..digits]);
            out.push('}');
            rest = &rest[digits..];
        }
    }
    out + rest
}

fn key(arguments: &[Value]) -> Result<Option<Vec<u8>>, String> {
    let value = at(arguments, 2);
    if value.is_empty() {
        return Ok(None);
    }
    let text = value.to_text();
    match text_at(arguments, 3).as_str() {
        "" | "text" => Ok(Some(value.to_bytes().to_vec())),
        "hex" => hex::decode(&text).map(Some).map_err(|_| "the key is not hexadecimal".into()),
        "base64" => BASE64.decode(&text).map(Some).map_err(|_| "the key is not Base64".into()),
        other => Err(format!("\"{other}\" is not an encoding of keys: text, hex or base64")),
    }
}

fn keyed<M: Mac, E>(mac: Result<M, E>, bytes: &[u8]) -> Result<Vec<u8>, String> {
    let mut mac = mac.map_err(|_| "the key cannot be used")?;
    mac.update(bytes);
    Ok(mac.finalize().into_bytes().to_vec())
}

fn encoded(hash: &[u8], arguments: &[Value]) -> Result<Value, String> {
    match text_at(arguments, 1).as_str() {
        "" | "hex" => Ok(Value::text(hex::encode(hash))),
        "base64" => Ok(Value::text(BASE64.encode(hash))),
        other => Err(format!("\"{other}\" is not an encoding: hex or base64")),
    }
}
