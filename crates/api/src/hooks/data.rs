//! What a request to a hook holds: its query string and its body, as named
//! values.
//!
//! The items of the body stand over those of the query string. What has no
//! names of its own, such as a JSON array or a text, is the item `value`. A
//! name that comes twice, or ends with `[]`, is a list.

use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, Multipart, Request};

use flows::value::{Collection, Value};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, StatusCode};
use percent_encoding::percent_decode;

use crate::body;
use crate::fault::Fault;

/// Item that is a body without names of its own.
const WHOLE: &str = "value";

/// Reads a request. JSON that is passed through stays a text.
pub(super) async fn read(
    query: Option<&str>,
    headers: &HeaderMap,
    bytes: Bytes,
    passes_through: bool,
) -> Result<Value, Fault> {
    let mut fields = Collection::new();
    add_pairs(&mut fields, query.unwrap_or_default().as_bytes());
    if bytes.trim_ascii().is_empty() {
        return Ok(Value::Collection(fields.into()));
    }
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let body = match kind.as_str() {
        // What the pipes of mail servers bring.
        "message/rfc822" => flows::read_mail(&bytes)
            .ok_or_else(|| Fault::new(StatusCode::BAD_REQUEST, "mail-broken", "the body is not a mail with headers"))?,
        "multipart/form-data" => return form(fields, headers, bytes).await,
        kind if kind == "application/json" || kind.ends_with("+json") => json(&bytes, passes_through)?,
        // Some senders write JSON and call it a form, or do not call it anything.
        "" | "application/x-www-form-urlencoded" | "text/plain" if looks_like_json(&bytes) => {
            json(&bytes, passes_through)?
        }
        "application/x-www-form-urlencoded" => {
            let mut pairs = Collection::new();
            add_pairs(&mut pairs, &bytes);
            Value::Collection(pairs.into())
        }
        _ => match std::str::from_utf8(&bytes) {
            Ok(text) => Value::text(text),
            Err(_) => Value::Buffer(bytes),
        },
    };
    match body {
        Value::Collection(body) => fields.extend((*body).clone()),
        other => {
            fields.insert(WHOLE.into(), other);
        }
    }
    Ok(Value::Collection(fields.into()))
}

/// Tells whether a text that is not called JSON is JSON with structure.
fn looks_like_json(bytes: &[u8]) -> bool {
    matches!(bytes.trim_ascii().first(), Some(b'{' | b'['))
        && serde_json::from_slice::<serde::de::IgnoredAny>(bytes).is_ok()
}

fn json(bytes: &Bytes, passes_through: bool) -> Result<Value, Fault> {
    if passes_through {
        let text = std::str::from_utf8(bytes);
        let text = text.map_err(|_| Fault::new(StatusCode::BAD_REQUEST, "body-not-text", "the body is not UTF-8"))?;
        return Ok(Value::text(text));
    }
    body::parse::<serde_json::Value>(bytes).map(Value::from_json)
}

/// Reads `a=1&b=2`.
fn add_pairs(fields: &mut Collection, text: &[u8]) {
    let decoded = |part: &[u8]| {
        let blanks: Vec<u8> = part.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
        percent_decode(&blanks).decode_utf8_lossy().into_owned()
    };
    for pair in text.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()) {
        let (name, value) = match pair.iter().position(|byte| *byte == b'=') {
            Some(place) => (&pair[..place], &pair[place + 1..]),
            None => (pair, &b""[..]),
        };
        add(fields, &decoded(name), Value::text(decoded(value)));
    }
}

/// Reads a form with files.
async fn form(mut fields: Collection, headers: &HeaderMap, bytes: Bytes) -> Result<Value, Fault> {
    let mut request = Request::new(Body::from(bytes));
    if let Some(kind) = headers.get(CONTENT_TYPE) {
        request.headers_mut().insert(CONTENT_TYPE, kind.clone());
    }
    let no_form = |error: axum::extract::multipart::MultipartRejection| {
        Fault::new(StatusCode::BAD_REQUEST, "form-broken", format!("the form cannot be read: {}", error.body_text()))
    };
    // The limit on the body held for these bytes already.
    let mut form = Multipart::from_request(request, &()).await.map_err(no_form)?;
    let broken = |error| body::broken_form("form", &error);
    let mut parts = Collection::new();
    while let Some(part) = form.next_field().await.map_err(broken)? {
        let name = part.name().unwrap_or_default().to_owned();
        let file_name = part.file_name().map(str::to_owned);
        let mime = part.content_type().map(str::to_owned);
        let data = part.bytes().await.map_err(broken)?;
        let value = match file_name {
            Some(file_name) => Value::collection([
                ("name", Value::text(file_name)),
                ("mime", Value::text(mime.as_deref().unwrap_or("application/octet-stream"))),
                ("data", Value::Buffer(data)),
            ]),
            None => Value::text(String::from_utf8_lossy(&data)),
        };
        add(&mut parts, &name, value);
    }
    fields.extend(parts);
    Ok(Value::Collection(fields.into()))
}

fn add(fields: &mut Collection, name: &str, value: Value) {
    let (name, is_list) = name.strip_suffix("[]").map_or((name, false), |name| (name, true));
    let before = fields.get(name).cloned();
    let value = match before {
        Some(Value::Array(values)) => Value::array(values.iter().cloned().chain([value]).collect()),
        Some(first) => Value::array(vec![first, value]),
        None if is_list => Value::array(vec![value]),
        None => value,
    };
    fields.insert(name.to_owned(), value);
}
