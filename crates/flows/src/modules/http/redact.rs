//! What the history may show of requests and answers.

use crate::value::{Collection, Value};

/// What stands in the history in place of a secret.
const BLOTTED: &str = "(not shown)";

/// Returns a module's input as the history may show it: what may be a secret
/// is blotted out.
pub fn redacted_input(input: &Value) -> Value {
    let Value::Collection(fields) = input else { return input.clone() };
    let mut shown = Collection::new();
    for (name, value) in fields.iter() {
        let value = match name.as_str() {
            "headers"
            | "qs"
            | "queryParameters"
            | "formFields"
            | "formDataFields"
            | "urlEncodedBodyContent"
            | "multipartBodyContent" => redacted_pairs(value),
            "authPass" => Value::text(BLOTTED),
            "url" => Value::text(redacted_address(&value.to_text())),
            _ => value.clone(),
        };
        shown.insert(name.clone(), value);
    }
    Value::Collection(shown.into())
}

/// Returns a bundle as the history may show it.
pub fn redacted_output(bundle: &Value) -> Value {
    let Value::Collection(fields) = bundle else { return bundle.clone() };
    let mut shown = (**fields).clone();
    shown.shift_remove("cookieHeaders");
    if let Some(headers) = shown.get_mut("headers") {
        *headers = redacted_pairs(headers);
    }
    if let Some(Value::Text(url)) = shown.get("url") {
        let url = Value::text(redacted_address(url));
        shown.insert("url".into(), url);
    }
    Value::Collection(shown.into())
}

/// Blots out a password, and the parameters of the query that look like
/// secrets.
fn redacted_address(url: &str) -> String {
    let (address, query) = url.split_once('?').map_or((url, None), |(address, query)| (address, Some(query)));
    let (scheme, rest) = address.split_once("://").unwrap_or(("", address));
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let address = match authority.rsplit_once('@') {
        Some((_, host)) => format!("{scheme}://{BLOTTED}@{host}{path}"),
        None => address.to_owned(),
    };
    let Some(query) = query else { return address };
    let pair = |pair: &str| match pair.split_once('=') {
        Some((name, _)) if is_secret(name) => format!("{name}={BLOTTED}"),
        _ => pair.to_owned(),
    };
    format!("{address}?{}", query.split('&').map(pair).collect::<Vec<_>>().join("&"))
}

fn redacted_pairs(list: &Value) -> Value {
    match list {
        Value::Array(entries) => {
            let entry = |entry: &Value| {
                let name = if entry.field("name").exists() { entry.field("name") } else { entry.field("key") };
                match entry {
                    Value::Collection(fields) if is_secret(&name.to_text()) => {
                        let mut fields = (**fields).clone();
                        fields.insert("value".into(), Value::text(BLOTTED));
                        fields.shift_remove("data");
                        Value::Collection(fields.into())
                    }
                    other => other.clone(),
                }
            };
            Value::array(entries.iter().map(entry).collect())
        }
        Value::Collection(fields) => {
            Value::collection(fields.iter().map(|(name, value)| {
                (name.clone(), if is_secret(name) { Value::text(BLOTTED) } else { value.clone() })
            }))
        }
        other => other.clone(),
    }
}

/// Tells by its name whether a header or field is likely to hold a secret.
/// The idempotency token of a Databricks run is none: it names an attempt.
fn is_secret(name: &str) -> bool {
    const PARTS: [&str; 7] = ["authorization", "cookie", "api-key", "apikey", "api_key", "secret", "password"];
    let lower = name.to_ascii_lowercase();
    let token = lower.contains("token") && !lower.contains("idempotency");
    token || PARTS.iter().any(|part| lower.contains(part))
}
