//! From settings to a planned request.

use std::time::Duration;

use base::http::Method;
use bytes::Bytes;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde_json::Value as Json;

use super::body::{self, Part};
use super::{HttpCall, Jar, Shape, named};
use crate::blueprint::ModuleNode;
use crate::modules::{Call, Class, ModuleError, Plan};
use crate::value::Value;

/// Time for a call when nothing is said.
const TIMEOUT_SECONDS: f64 = 40.0;
/// Redirects that are followed where any are.
const REDIRECTS_MAX: u8 = 10;
/// What cannot stand in an address; what has a meaning there stays, and so
/// does what is escaped already.
const SPECIAL: &AsciiSet =
    &CONTROLS.add(b' ').add(b'"').add(b'<').add(b'>').add(b'\\').add(b'^').add(b'`').add(b'{').add(b'|').add(b'}');

fn invalid(message: impl Into<String>) -> ModuleError {
    ModuleError::new(Class::BundleValidationError, message)
}

fn unusable(message: impl Into<String>) -> ModuleError {
    ModuleError::new(Class::InvalidConfigurationError, message)
}

/// "Make a request", version 3.
pub(super) fn send_data(call: &mut Call<'_>) -> Result<Plan, ModuleError> {
    first(call, Shape::First, None)
}

/// The same for a module that has its credentials from a connection of one of
/// `kinds`, as people call it.
pub(super) fn send_data_as(call: &mut Call<'_>, kind: &str) -> Result<Plan, ModuleError> {
    first(call, Shape::First, Some(kind))
}

/// "Get a file".
pub(super) fn get_file(call: &mut Call<'_>) -> Result<Plan, ModuleError> {
    first(call, Shape::FirstFile, None)
}

fn first(call: &Call<'_>, shape: Shape, credentials: Option<&str>) -> Result<Plan, ModuleError> {
    let input = call.input;
    let is_on = |name: &str| input.field(name).truth();
    if let Some(kind) = credentials
        && named::connection(call.parameters).is_none()
    {
        return Err(unusable(format!(
            "the module needs a connection with {kind}: name one in the setting \"connection\""
        )));
    }
    let mut planned = plan(call, shape, "qs")?;
    let user = input.field("authUser");
    if credentials.is_none() && !user.is_empty() {
        let pair = format!("{}:{}", user.to_text(), input.field("authPass").to_text());
        planned.headers.push(("Authorization".into(), format!("Basic {}", body::base64(&pair))));
    }
    let repeats_names = is_on("useQuerystring");
    let (content_type, bytes) = match input.field("bodyType").to_text().as_str() {
        "" => (None, Bytes::new()),
        "raw" => {
            let content_type = input.field("contentType").to_text();
            (Some(content_type).filter(|text| !text.is_empty() && text != "custom"), raw(&input.field("data")))
        }
        "x_www_form_urlencoded" => {
            let fields = body::keyed(pairs(&input.field("formFields"), "key"), repeats_names);
            (Some("application/x-www-form-urlencoded".into()), body::urlencoded(&fields))
        }
        "multipart_form_data" => {
            let (content_type, bytes) = body::multipart(&parts(&input.field("formDataFields"))?);
            (Some(content_type), bytes)
        }
        other => return Err(invalid(format!("\"{other}\" is not a body type"))),
    };
    if let Some(content_type) = content_type {
        default_header(&mut planned.headers, "Content-Type", content_type);
    }
    planned.body = bytes;
    // Without the second setting only what reads is led on.
    let reads = matches!(planned.method, Method::GET | Method::HEAD | Method::OPTIONS);
    if is_on("followRedirect") && (reads || is_on("followAllRedirects")) {
        planned.redirects_max = REDIRECTS_MAX;
    }
    planned.evaluate_errors = call.is_on("handleErrors");
    planned.compressed = is_on("gzip");
    planned.certificate = named::certificate(call.parameters).filter(|_| is_on("useMtls"));
    if is_on("useMtls") && planned.certificate.is_none() {
        return Err(unusable("a client certificate is wanted: name its connection in the setting \"certificate\""));
    }
    Ok(Plan::Http(Box::new(planned)))
}

/// "Make a request", version 4.
pub(super) fn make_request(call: &mut Call<'_>) -> Result<Plan, ModuleError> {
    let mut planned = second(call, Shape::Second)?;
    let (content_type, bytes) = content(call.input)?;
    if let Some(content_type) = content_type {
        default_header(&mut planned.headers, "Content-Type", content_type);
    }
    planned.body = bytes;
    let pagination = call.input.field("paginationType").to_text();
    if !matches!(pagination.as_str(), "" | "none") {
        return Err(unusable(format!(
            "pagination \"{pagination}\" is not done by this module: ask for one page in a loopwright:RepeatUntil"
        )));
    }
    Ok(Plan::Http(Box::new(planned)))
}

/// "Download a file" of the second generation.
pub(super) fn download_file(call: &mut Call<'_>) -> Result<Plan, ModuleError> {
    Ok(Plan::Http(Box::new(second(call, Shape::SecondFile)?)))
}

/// "Resolve a target URL".
pub(super) fn resolve_url(call: &mut Call<'_>) -> Result<Plan, ModuleError> {
    let mut planned = second(call, Shape::Address)?;
    planned.redirects_max = REDIRECTS_MAX;
    Ok(Plan::Http(Box::new(planned)))
}

fn second(call: &Call<'_>, shape: Shape) -> Result<HttpCall, ModuleError> {
    let is_on = |name: &str| call.input.field(name).truth();
    let mut planned = plan(call, shape, "queryParameters")?;
    let authentication = call.parameter("authenticationType").unwrap_or("noAuth");
    if authentication == "noAuth" {
        // A connection of ours counts all the same; numbers that were left behind do not.
        planned.connection = call.parameter("connection").map(str::to_owned);
    } else if planned.connection.is_none() {
        return Err(unusable(format!(
            "authentication \"{authentication}\" needs a connection: name one in the setting \"connection\""
        )));
    }
    if call.parameter("proxyKeychain").is_some() || call.parameters.get("proxyKeychain").is_some_and(Json::is_number) {
        return Err(unusable("a proxy cannot be used: every call leaves by the program's own egress"));
    }
    if call.parameter("tlsType") == Some("mTls") {
        planned.certificate = named::certificate(call.parameters);
        if planned.certificate.is_none() {
            return Err(unusable("a client certificate is wanted: name its connection in the setting \"certificate\""));
        }
    }
    if is_on("allowRedirects") {
        planned.redirects_max = REDIRECTS_MAX;
    }
    planned.evaluate_errors = is_on("stopOnHttpError");
    planned.compressed = is_on("requestCompressedContent");
    Ok(planned)
}

/// Returns content type and body of version 4. The names of its fields are
/// those of version 3 where the original's are not public.
fn content(input: &Value) -> Result<(Option<String>, Bytes), ModuleError> {
    let first_of = |names: &[&str]| names.iter().map(|name| input.field(name)).find(Value::exists).unwrap_or_default();
    match input.field("contentType").to_text().as_str() {
        "" | "json" if input.field("inputMethod").to_text() != "dataStructure" => {
            let content = first_of(&["jsonStringBodyContent"]);
            let bytes = match &content {
                value if value.is_empty() => Bytes::new(),
                Value::Text(text) => {
                    serde_json::from_str::<serde::de::IgnoredAny>(text)
                        .map_err(|problem| invalid(format!("the body is not valid JSON: {problem}")))?;
                    content.to_bytes()
                }
                other => Bytes::from(other.to_json().to_string()),
            };
            let is_json = input.field("contentType").to_text() == "json";
            Ok((is_json.then(|| "application/json".into()), bytes))
        }
        "" | "json" => {
            let content = first_of(&["dataStructureBodyContent", "bodyContent", "data"]);
            Ok((Some("application/json".into()), Bytes::from(content.to_json().to_string())))
        }
        "urlEncoded" => {
            let fields = first_of(&["urlEncodedBodyContent", "formFields"]);
            let name = if has_key(&fields, "key") { "key" } else { "name" };
            Ok((Some("application/x-www-form-urlencoded".into()), body::urlencoded(&pairs(&fields, name))))
        }
        "multipart" => {
            let (content_type, bytes) =
                body::multipart(&parts(&first_of(&["multipartBodyContent", "formDataFields"]))?);
            Ok((Some(content_type), bytes))
        }
        "custom" => {
            let content_type = first_of(&["customContentType"]).to_text();
            Ok((Some(content_type).filter(|text| !text.is_empty()), raw(&first_of(&["customBodyContent", "data"]))))
        }
        other => Err(invalid(format!("\"{other}\" is not a content type: json, multipart, urlEncoded and custom are"))),
    }
}

/// Puts together what all modules share.
fn plan(call: &Call<'_>, shape: Shape, query: &str) -> Result<HttpCall, ModuleError> {
    let input = call.input;
    let is_on = |name: &str| input.field(name).truth();
    let method = match input.field("method").to_text() {
        empty if empty.is_empty() => Method::GET,
        text => Method::from_bytes(text.to_uppercase().as_bytes())
            .map_err(|_| invalid(format!("\"{text}\" is not an HTTP method")))?,
    };
    let url = input.field("url").to_text();
    let url = url.trim();
    if url.is_empty() {
        return Err(invalid("missing value of required parameter \"url\""));
    }
    let url = if is_on("serializeUrl") { utf8_percent_encode(url, SPECIAL).to_string() } else { url.to_owned() };
    let timeout = match input.field("timeout") {
        value if value.is_empty() => TIMEOUT_SECONDS,
        value => match value.to_f64() {
            Some(seconds) if (1.0..=300.0).contains(&seconds) => seconds,
            _ => return Err(invalid(format!("\"{}\" is not a timeout of 1 to 300 seconds", value.to_text()))),
        },
    };
    let repeats_names = query != "qs" || is_on("useQuerystring");
    let query = body::keyed(pairs(&input.field(query), "name"), repeats_names);
    let refuses = input.field("rejectUnauthorized");
    Ok(HttpCall {
        method,
        url: body::with_query(&url, &query),
        service: None,
        headers: pairs(&input.field("headers"), "name"),
        body: Bytes::new(),
        timeout: Duration::from_secs_f64(timeout),
        redirects_max: 0,
        connection: named::connection(call.parameters),
        certificate: None,
        authorities: Some(input.field("ca").to_text()).filter(|pem| !pem.trim().is_empty()),
        believes_anybody: refuses.exists() && refuses.as_text() != Some("") && !is_true(&refuses),
        compressed: false,
        jar: is_on("shareCookies").then(Jar::default),
        parse: is_on("parseResponse"),
        evaluate_errors: false,
        shape,
    })
}

/// Reads a truth of which a text may say "false".
fn is_true(value: &Value) -> bool {
    value.truth() && value.as_text() != Some("false")
}

/// A native array or collection can only be meant as JSON.
fn raw(data: &Value) -> Bytes {
    match data {
        Value::Array(_) | Value::Collection(_) => Bytes::from(data.to_json().to_string()),
        data => data.to_bytes(),
    }
}

fn has_key(list: &Value, key: &str) -> bool {
    matches!(list, Value::Array(entries) if entries.iter().any(|entry| entry.field(key).exists()))
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
        let name = if entry.field("key").exists() { entry.field("key") } else { entry.field("name") }.to_text();
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

/// Tells whether a method may be repeated without harm, by its definition; a
/// question to ourselves may.
pub fn has_safe_method(call: &HttpCall) -> bool {
    matches!(call.method, Method::GET | Method::HEAD | Method::OPTIONS | Method::PUT | Method::DELETE)
        || matches!(call.shape, Shape::Rows | Shape::Table)
}

/// Tells whether a field of the first generation holds JSON text: a raw body
/// that says so, in its own setting or in a header.
pub(super) fn is_json(node: &ModuleNode, field: &str) -> bool {
    if field != "data" || node.mapper["bodyType"].as_str().is_some_and(|kind| kind != "raw" && !kind.is_empty()) {
        return false;
    }
    let says_json = |text: &Json| text.as_str().is_some_and(|text| text.to_ascii_lowercase().contains("json"));
    let is_content_type =
        |header: &&Json| header["name"].as_str().is_some_and(|name| name.eq_ignore_ascii_case("content-type"));
    let header = node.mapper["headers"].as_array().into_iter().flatten().find(is_content_type);
    match header {
        Some(header) => says_json(&header["value"]),
        None => says_json(&node.mapper["contentType"]),
    }
}

/// The setting that says what happens to a request of which it is not known
/// whether it was sent.
pub(crate) fn repeats_in_doubt(parameters: &serde_json::Map<String, Json>) -> bool {
    parameters.get("inDoubt").and_then(Json::as_str) == Some("repeat")
}
