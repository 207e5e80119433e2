//! From a planned request to what the journal keeps of its answer.

use base::http::{HeaderName, HeaderValue, Http, HttpError, OURSELVES, Request, Response};
use base::{Causes, Timestamp, causes};
use serde_json::Value as Json;

use super::HttpCall;
use crate::connection::Unsealed;
use crate::modules::{Class, ModuleError, Settled};
use crate::value::Value;

/// Header that tells a receiver that a repeated request is the same one.
const KEY_HEADER: &str = "idempotency-key";

/// Sends a request with the key of its operation, and to ourselves with what
/// led to it. `connection` is the one that
/// the call names, opened. The second part of the answer tells whether trying
/// again may help: nobody answered, or somebody asked for patience where a bad
/// status is an error.
pub async fn send(
    call: &HttpCall,
    http: &dyn Http,
    connection: Option<&Unsealed>,
    key: &str,
    causes: &Causes,
    now: Timestamp,
) -> (Settled, bool) {
    let request = match request(call, connection, key, causes, now) {
        Ok(request) => request,
        Err(error) => return (Settled { result: Err(error), status_code: None }, false),
    };
    match http.send(request).await {
        Ok(response) => {
            let asks_for_patience = matches!(response.status.as_u16(), 429 | 502 | 503 | 504);
            (answer(call, &response), call.evaluate_errors && asks_for_patience)
        }
        Err(error) => {
            let class = match &error {
                HttpError::Timeout { .. } => Class::ModuleTimeoutError,
                HttpError::BadAddress { .. } | HttpError::Forbidden { .. } => Class::RuntimeError,
                _ => Class::ConnectionError,
            };
            let may_help = class != Class::RuntimeError;
            (Settled { result: Err(ModuleError::new(class, error.to_string())), status_code: None }, may_help)
        }
    }
}

fn request(
    call: &HttpCall,
    connection: Option<&Unsealed>,
    key: &str,
    causes: &Causes,
    now: Timestamp,
) -> Result<Request, ModuleError> {
    let mut request = Request::new(call.method.clone(), call.url.clone());
    request.body = call.body.clone();
    request.timeout = call.timeout;
    request.redirects_max = call.redirects_max;
    for (name, value) in &call.headers {
        let bad = || ModuleError::new(Class::BundleValidationError, format!("\"{name}\" is not a header"));
        let header = HeaderName::from_bytes(name.trim().as_bytes()).map_err(|_| bad())?;
        request.headers.append(header, HeaderValue::from_str(value.trim()).map_err(|_| bad())?);
    }
    let key = HeaderValue::from_str(key).expect("an operation's key is hexadecimal");
    request.headers.entry(KEY_HEADER).or_insert(key);
    if let Some(connection) = connection {
        connection.apply(&mut request, now)?;
    }
    if request.url.starts_with(OURSELVES) {
        // Only we ourselves learn why, and only from here: what a flow's author
        // wrote into that header is not what happened.
        request.headers.remove(causes::HEADER);
        if !causes.is_empty() {
            let text = HeaderValue::from_str(&causes.to_string()).expect("a chain is written in plain letters");
            request.headers.insert(causes::HEADER, text);
        }
    }
    Ok(request)
}

fn answer(call: &HttpCall, response: &Response) -> Settled {
    let status = response.status.as_u16();
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    if response.truncated {
        let message = format!("the answer is longer than {} bytes", response.body.len());
        return Settled { result: Err(ModuleError::new(Class::DataError, message)), status_code: Some(status) };
    }
    if call.evaluate_errors && status >= 400 {
        let class = if status == 429 { Class::RateLimitError } else { Class::RuntimeError };
        let body: String = String::from_utf8_lossy(&response.body).chars().take(500).collect();
        let message = format!("[{status}] {body}");
        return Settled { result: Err(ModuleError::new(class, message)), status_code: Some(status) };
    }
    let content_type = response.headers.get("content-type").map(text).unwrap_or_default();
    let data = match parsed(call, &content_type, response) {
        Ok(data) => data,
        Err(error) => return Settled { result: Err(error), status_code: Some(status) },
    };
    let headers = if call.headers_by_name {
        Value::collection(response.headers.keys().map(|name| {
            let values: Vec<Value> =
                response.headers.get_all(name).iter().map(|value| Value::text(text(value))).collect();
            let several = name.as_str() == "set-cookie" || values.len() > 1;
            (name.as_str(), if several { Value::array(values) } else { values.into_iter().next().unwrap_or_default() })
        }))
    } else {
        let pair = |(name, value): (&HeaderName, &HeaderValue)| {
            Value::collection([("name", Value::text(name.as_str())), ("value", Value::text(text(value)))])
        };
        Value::array(response.headers.iter().map(pair).collect())
    };
    let mut fields = vec![("statusCode", Value::Int(status.into())), ("headers", headers), ("data", data)];
    if !call.headers_by_name {
        let cookies = response.headers.get_all("set-cookie").iter().map(|value| Value::text(text(value)));
        fields.insert(2, ("cookieHeaders", Value::array(cookies.collect())));
        fields.push(("fileSize", Value::Int(response.body.len() as i64)));
    }
    Settled { result: Ok(vec![Value::collection(fields)]), status_code: Some(status) }
}

fn parsed(call: &HttpCall, content_type: &str, response: &Response) -> Result<Value, ModuleError> {
    let as_text = || match std::str::from_utf8(&response.body) {
        Ok(text) => Value::text(text),
        Err(_) => Value::Buffer(response.body.clone()),
    };
    if !call.parse || !content_type.contains("json") || response.body.is_empty() {
        return Ok(as_text());
    }
    match serde_json::from_slice::<Json>(&response.body) {
        Ok(json) => Ok(Value::from_json(json)),
        // A failure's body is often not what its header says; the status tells more.
        Err(_) if response.status.as_u16() >= 400 => Ok(as_text()),
        Err(problem) => Err(ModuleError::new(
            Class::DataError,
            format!("the answer is not the JSON that it claims to be: {problem}"),
        )),
    }
}
