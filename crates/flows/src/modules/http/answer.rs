//! From an answer to what the journal keeps of it.

use std::io::Read as _;

use base::Timestamp;
use base::http::{HeaderMap, HeaderName, HeaderValue, Response};
use bytes::Bytes;
use flate2::read::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use percent_encoding::percent_decode_str;
use serde_json::Value as Json;

use super::{Cookie, HttpCall, Shape};
use crate::modules::{Class, ModuleError, Settled};
use crate::value::{Value, read_xml};

/// Bytes of an answer after it was unpacked. A small one can hold very much.
const UNPACKED_BYTES_MAX: usize = 64 << 20;

/// An answer at the end of all redirects.
pub(super) struct Answered {
    pub(super) response: Response,
    /// Where it came from, without what a connection added.
    pub(super) address: String,
    /// What was set on the way, where the run shares it.
    pub(super) cookies: Vec<Cookie>,
}

/// Makes the bundle of an answer, or the error that it stands for.
pub(super) fn settled(call: &HttpCall, answered: Answered, now: Timestamp) -> Settled {
    let Answered { response, address, cookies } = answered;
    let status_code = Some(response.status.as_u16());
    let result = bundle(call, &response, &address, now);
    let result = match call.shape {
        Shape::Rows | Shape::Table => result.and_then(|answer| rows(&answer, call.shape)),
        _ => result.map(|bundle| vec![bundle]),
    };
    Settled { result, status_code, cookies }
}

fn bundle(call: &HttpCall, response: &Response, address: &str, now: Timestamp) -> Result<Value, ModuleError> {
    let status = response.status.as_u16();
    if response.truncated {
        let message = format!("the answer is longer than {} bytes", response.body.len());
        return Err(ModuleError::new(Class::DataError, message));
    }
    let body = unpacked(call, response)?;
    if call.shape == Shape::Slack {
        return crate::modules::slack::answered(status, &body, retry_after(&response.headers, now));
    }
    if call.evaluate_errors && status >= 400 {
        let class = if status == 429 { Class::RateLimitError } else { Class::RuntimeError };
        let mut told: String = String::from_utf8_lossy(&body).chars().take(500).collect();
        if let Some(hint) = crate::databricks::problem::hint(&call.url, status, &body, &call.body) {
            told = format!("{} ({hint})", told.trim_end());
        }
        let retry_after = retry_after(&response.headers, now);
        let error = ModuleError { retry_after, ..ModuleError::new(class, format!("[{status}] {told}")) };
        let is_table = matches!(call.shape, Shape::Rows | Shape::Table);
        return Err(if is_table { of_status(error, Some(status)) } else { error });
    }
    let status_code = ("statusCode", Value::Int(status.into()));
    let size = ("fileSize", Value::Int(body.len() as i64));
    let cookies = response.headers.get_all("set-cookie").iter().map(|value| Value::text(text(value)));
    let cookies = ("cookieHeaders", Value::array(cookies.collect()));
    Ok(match call.shape {
        Shape::First => {
            let data = ("data", data(call, response, &body)?);
            Value::collection([status_code, ("headers", listed(&response.headers)), cookies, data, size])
        }
        Shape::Second => {
            let data = ("data", data(call, response, &body)?);
            Value::collection([status_code, ("headers", named(&response.headers)), data])
        }
        Shape::FirstFile | Shape::SecondFile => {
            let name = ("fileName", Value::text(file_name(&response.headers, address)));
            let data = ("data", Value::Buffer(body));
            if call.shape == Shape::FirstFile {
                Value::collection([status_code, ("headers", listed(&response.headers)), cookies, name, data, size])
            } else {
                Value::collection([status_code, ("headers", named(&response.headers)), name, data, size])
            }
        }
        Shape::Slack | Shape::Rows | Shape::Table => data(call, response, &body)?,
        Shape::Address => Value::collection([("url", Value::text(address)), status_code]),
    })
}

/// Gives the error of a service its class by the status of the answer.
pub(crate) fn of_status(error: ModuleError, status: Option<u16>) -> ModuleError {
    let class = match status {
        Some(401) => Class::InvalidAccessTokenError,
        Some(403 | 404) => Class::InvalidConfigurationError,
        Some(400 | 409 | 413 | 422) => Class::DataError,
        Some(500..) => Class::ConnectionError,
        _ => error.class,
    };
    ModuleError { class, ..error }
}

/// Makes bundles of a table: one for each row, or one that holds all.
fn rows(answer: &Value, shape: Shape) -> Result<Vec<Value>, ModuleError> {
    let Value::Array(rows) = answer.field("rows") else {
        let message = "the answer has no rows: is the connection that of a Loopwright?";
        return Err(ModuleError::new(Class::DataError, message));
    };
    if shape == Shape::Rows {
        return Ok(rows.to_vec());
    }
    let count = Value::Int(rows.len() as i64);
    let truncated = Value::Bool(answer.field("truncated").truth());
    Ok(vec![Value::collection([("rows", Value::Array(rows)), ("count", count), ("truncated", truncated)])])
}

fn text(value: &HeaderValue) -> String {
    String::from_utf8_lossy(value.as_bytes()).into_owned()
}

/// Headers as version 3 has them.
fn listed(headers: &HeaderMap) -> Value {
    let pair = |(name, value): (&HeaderName, &HeaderValue)| {
        Value::collection([("name", Value::text(name.as_str())), ("value", Value::text(text(value)))])
    };
    Value::array(headers.iter().map(pair).collect())
}

/// Headers as version 4 has them.
fn named(headers: &HeaderMap) -> Value {
    Value::collection(headers.keys().map(|name| {
        let mut values: Vec<Value> = headers.get_all(name).iter().map(|value| Value::text(text(value))).collect();
        let is_list = name.as_str() == "set-cookie" || values.len() > 1;
        (name.as_str(), if is_list { Value::array(values) } else { values.pop().unwrap_or_default() })
    }))
}

/// Unpacks what came packed because it was asked for like that.
fn unpacked(call: &HttpCall, response: &Response) -> Result<Bytes, ModuleError> {
    let encoding = response.headers.get("content-encoding").map(text).unwrap_or_default().to_ascii_lowercase();
    if !call.compressed || response.body.is_empty() {
        return Ok(response.body.clone());
    }
    let body = &response.body[..];
    let mut unpacked = Vec::new();
    let limit = UNPACKED_BYTES_MAX as u64 + 1;
    let read = match encoding.as_str() {
        "gzip" | "x-gzip" => MultiGzDecoder::new(body).take(limit).read_to_end(&mut unpacked),
        // The standard means zlib; some servers send it without its frame.
        "deflate" => match ZlibDecoder::new(body).take(limit).read_to_end(&mut unpacked) {
            Err(_) => {
                unpacked.clear();
                DeflateDecoder::new(body).take(limit).read_to_end(&mut unpacked)
            }
            read => read,
        },
        _ => return Ok(response.body.clone()),
    };
    let broken = |detail: String| ModuleError::new(Class::DataError, detail);
    read.map_err(|error| broken(format!("the answer cannot be unpacked: {error}")))?;
    if unpacked.len() > UNPACKED_BYTES_MAX {
        return Err(broken(format!("the answer is longer than {UNPACKED_BYTES_MAX} bytes when it is unpacked")));
    }
    Ok(unpacked.into())
}

/// Reads a body by what its header says that it is.
fn data(call: &HttpCall, response: &Response, body: &Bytes) -> Result<Value, ModuleError> {
    let content_type = response.headers.get("content-type").map(text).unwrap_or_default().to_ascii_lowercase();
    let is_latin = ["iso-8859-1", "latin1"].iter().any(|charset| content_type.contains(charset));
    let as_text = || match std::str::from_utf8(body) {
        Ok(text) => Value::text(text),
        // Its bytes are the numbers of its letters.
        Err(_) if is_latin => Value::text(body.iter().copied().map(char::from).collect::<String>()),
        Err(_) => Value::Buffer(body.clone()),
    };
    let kind = content_type.split(';').next().unwrap_or_default().trim();
    let is_json = kind.contains("json");
    let is_xml = (kind.ends_with("/xml") || kind.ends_with("+xml")) && kind != "application/xhtml+xml";
    if !call.parse || body.is_empty() || !is_json && !is_xml {
        return Ok(as_text());
    }
    let (parsed, claim) = if is_json {
        (serde_json::from_slice::<Json>(body).map(Value::from_json).map_err(|problem| problem.to_string()), "JSON")
    } else {
        (read_xml(body), "XML")
    };
    match parsed {
        Ok(value) => Ok(value),
        // A failure's body is often not what its header says; the status tells more.
        Err(_) if response.status.as_u16() >= 400 => Ok(as_text()),
        Err(problem) => {
            let message = format!("the answer is not the {claim} that it claims to be: {problem}");
            Err(ModuleError::new(Class::DataError, message))
        }
    }
}

/// Returns after how many seconds the other side wants to be asked again: it
/// says so as a number, or as a time.
pub(crate) fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<u64> {
    let said = text(headers.get("retry-after")?);
    if let Ok(seconds) = said.trim().parse() {
        return Some(seconds);
    }
    let time = jiff::fmt::rfc2822::DateTimeParser::new().relaxed_weekday(true).parse_timestamp(said.trim()).ok()?;
    u64::try_from(time.as_second() - now.as_millis().div_euclid(1_000)).ok()
}

/// Returns the name of a file: what the answer says, or the end of the address.
fn file_name(headers: &HeaderMap, address: &str) -> String {
    let said = headers.get("content-disposition").map(text).unwrap_or_default();
    let parameter = |name: &str| {
        said.split(';').skip(1).find_map(|part| {
            let (key, value) = part.trim().split_once('=')?;
            key.trim().eq_ignore_ascii_case(name).then(|| value.trim().trim_matches('"').to_owned())
        })
    };
    let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    let encoded = parameter("filename*").and_then(|value| value.split("''").nth(1).map(decoded));
    let path = address.split(['?', '#']).next().unwrap_or_default();
    let from_path = || path.splitn(4, '/').nth(3).and_then(|rest| rest.rsplit('/').next()).map(decoded);
    let name = encoded.or_else(|| parameter("filename")).or_else(from_path).unwrap_or_default();
    // A name is not a path, whatever it says.
    let name = name.rsplit(['/', '\\']).next().unwrap_or_default();
    if name.is_empty() { "file".to_owned() } else { name.to_owned() }
}
