//! From settings to a planned request.

use std::time::Duration;

use base::http::Method;
use bytes::Bytes;
use serde_json::Value as Json;

use super::HttpCall;
use super::body::{self, Part};
use crate::modules::{Call, Class, ModuleError, Plan};
use crate::value::{Collection, Value};

/// Time for a call when nothing is said.
const TIMEOUT_SECONDS: f64 = 40.0;
/// Redirects that are followed where any are.
const REDIRECTS_MAX: u8 = 10;
/// What stands in the history in place of a secret.
const BLOTTED: &str = "(not shown)";

fn invalid(message: impl Into<String>) -> ModuleError {
    ModuleError::new(Class::BundleValidationError, message)
}

pub(super) fn send_data(call: &mut Call<'_>) -> Result<Plan, ModuleError> {
    let input = call.input;
    let mut headers = pairs(&input.field("headers"), "name");
    let mut redirects_max = 0;
    if input.field("followRedirect").truth() {
        redirects_max = REDIRECTS_MAX;
    }
    let user = input.field("authUser");
    if !user.is_empty() {
        let credentials = format!("{}:{}", user.to_text(), input.field("authPass").to_text());
        headers.push(("Authorization".into(), format!("Basic {}", body::base64(&credentials))));
    }
    let (content_type, bytes) = match input.field("bodyType").to_text().as_str() {
        "" => (None, Bytes::new()),
        "raw" => {
            let data = input.field("data");
            // A native array or collection can only be meant as JSON.
            let bytes = match data {
                Value::Array(_) | Value::Collection(_) => Bytes::from(data.to_json().to_string()),
                data => data.to_bytes(),
            };
            let content_type = input.field("contentType").to_text();
            (Some(content_type).filter(|text| !text.is_empty() && text != "custom"), bytes)
        }
        "x_www_form_urlencoded" => {
            let fields = pairs(&input.field("formFields"), "key");
            (Some("application/x-www-form-urlencoded".into()), body::urlencoded(&fields))
        }
        "multipart_form_data" => {
            let (content_type, bytes) = body::multipart(&parts(&input.field("formDataFields"))?);
            (Some(content_type), bytes)
        }
        other => return Err(invalid(format!("\"{other}\" is not a body type"))),
    };
    if let Some(content_type) = content_type {
        default_header(&mut headers, "Content-Type", content_type);
    }
    plan(call, headers, "qs", bytes, redirects_max, call.is_on("handleErrors"), false)
}

pub(super) fn make_request(call: &mut Call<'_>) -> Result<Plan, ModuleError> {
    let input = call.input;
    let authentication = call.parameter("authenticationType").unwrap_or("noAuth");
    if authentication != "noAuth" {
        return Err(ModuleError::new(
            Class::InvalidConfigurationError,
            format!("authentication \"{authentication}\" needs a connection: name one in the setting \"connection\""),
        ));
    }
    let mut headers = pairs(&input.field("headers"), "name");
    let content = input.field("jsonStringBodyContent");
    let bytes = match &content {
        value if value.is_empty() => Bytes::new(),
        Value::Text(text) => {
            serde_json::from_str::<serde::de::IgnoredAny>(text)
                .map_err(|problem| invalid(format!("the body is not valid JSON: {problem}")))?;
            content.to_bytes()
        }
        other => Bytes::from(other.to_json().to_string()),
    };
    match input.field("contentType").to_text().as_str() {
        "" | "custom" => {}
        "json" => default_header(&mut headers, "Content-Type", "application/json".into()),
        other => return Err(invalid(format!("a body of content type \"{other}\" is not supported yet"))),
    }
    let redirects_max = if input.field("allowRedirects").truth() { REDIRECTS_MAX } else { 0 };
    let evaluate_errors = input.field("stopOnHttpError").truth();
    plan(call, headers, "queryParameters", bytes, redirects_max, evaluate_errors, true)
}

/// Puts together what both generations share.
fn plan(
    call: &Call<'_>,
    headers: Vec<(String, String)>,
    query: &str,
    body: Bytes,
    redirects_max: u8,
    evaluate_errors: bool,
    headers_by_name: bool,
) -> Result<Plan, ModuleError> {
    let input = call.input;
    let method = match input.field("method").to_text() {
        empty if empty.is_empty() => Method::GET,
        text => Method::from_bytes(text.to_uppercase().as_bytes())
            .map_err(|_| invalid(format!("\"{text}\" is not an HTTP method")))?,
    };
    let url = input.field("url").to_text();
    if url.trim().is_empty() {
        return Err(invalid("missing value of required parameter \"url\""));
    }
    let timeout = match input.field("timeout") {
        value if value.is_empty() => TIMEOUT_SECONDS,
        value => match value.to_f64() {
            Some(seconds) if (1.0..=300.0).contains(&seconds) => seconds,
            _ => return Err(invalid(format!("\"{}\" is not a timeout of 1 to 300 seconds", value.to_text()))),
        },
    };
    Ok(Plan::Http(Box::new(HttpCall {
        method,
        url: body::with_query(url.trim(), &pairs(&input.field(query), "name")),
        headers,
        body,
        timeout: Duration::from_secs_f64(timeout),
        redirects_max,
        connection: call.parameter("connection").map(str::to_owned),
        parse: input.field("parseResponse").truth(),
        evaluate_errors,
        headers_by_name,
    })))
}

/// Reads a list of names and values; a value that is absent is left out.
fn pairs(list: &Value, name: &str) -> Vec<(String, String)> {
    let Value::Array(entries) = list else { return Vec::new() };
    let present = entries.iter().filter(|entry| entry.field("value") != Value::Absent);
    present
        .map(|entry| (entry.field(name).to_text(), entry.field("value").to_text()))
        .filter(|(name, _)| !name.is_empty())
        .collect()
}

fn parts(list: &Value) -> Result<Vec<Part>, ModuleError> {
    let Value::Array(entries) = list else { return Ok(Vec::new()) };
    let part = |entry: &Value| {
        let name = entry.field("key").to_text();
        match entry.field("fieldType").to_text().as_str() {
            "" | "text" => Ok(Part { name, file_name: None, content: entry.field("value").to_bytes() }),
            "file" => {
                let file_name = match entry.field("fileName").to_text() {
                    empty if empty.is_empty() => "file".to_owned(),
                    text => text,
                };
                Ok(Part { name, file_name: Some(file_name), content: entry.field("data").to_bytes() })
            }
            other => Err(invalid(format!("\"{other}\" is not a type of form fields"))),
        }
    };
    entries.iter().map(part).collect()
}

fn default_header(headers: &mut Vec<(String, String)>, name: &str, value: String) {
    if !headers.iter().any(|(known, _)| known.eq_ignore_ascii_case(name)) {
        headers.push((name.to_owned(), value));
    }
}

/// Tells whether a method may be repeated without harm, by its definition.
pub fn has_safe_method(call: &HttpCall) -> bool {
    matches!(call.method, Method::GET | Method::HEAD | Method::OPTIONS | Method::PUT | Method::DELETE)
}

/// Returns a module's input as the history may show it: what may be a secret
/// is blotted out.
pub fn redacted_input(input: &Value) -> Value {
    let Value::Collection(fields) = input else { return input.clone() };
    let mut shown = Collection::new();
    for (name, value) in fields.iter() {
        let value = match name.as_str() {
            "headers" | "qs" | "queryParameters" | "formFields" => redacted_pairs(value),
            "authPass" => Value::text(BLOTTED),
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
    Value::Collection(shown.into())
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

/// The setting that says what happens to a request of which it is not known
/// whether it was sent.
pub(crate) fn repeats_in_doubt(parameters: &serde_json::Map<String, Json>) -> bool {
    parameters.get("inDoubt").and_then(Json::as_str) == Some("repeat")
}
