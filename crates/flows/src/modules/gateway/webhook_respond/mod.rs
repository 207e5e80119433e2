//! Webhook response: what the caller of the hook is told.

use crate::blueprint::ModuleNode;
use crate::hook::Response;
use crate::modules::{Behaviour, Call, Class, Module, ModuleError};
use crate::value::Value;

/// Headers of a response at most.
const HEADERS_MAX: usize = 16;
/// Letters of a header's name at most.
const KEY_CHARS_MAX: usize = 256;
/// Letters of a header's value at most.
const VALUE_CHARS_MAX: usize = 4_096;

/// Answers the request that started the run. Mapper: `status`, `body`,
/// `headers`.
pub const WEBHOOK_RESPOND: Module =
    module!("gateway:WebhookRespond", versions[1], Behaviour::Respond(respond), json is_json);

fn respond(call: &mut Call<'_>) -> Result<Response, ModuleError> {
    let wrong = |detail: String| ModuleError::new(Class::BundleValidationError, detail);
    let given = call.input.field("status");
    let status = if given.is_empty() { Some(200) } else { given.to_i64() };
    let status = status.and_then(|status| u16::try_from(status).ok()).filter(|status| (100..=999).contains(status));
    let Some(status) = status else {
        return Err(wrong(format!("status: \"{}\" is not a status from 100 to 999", given.to_text())));
    };
    let list = match call.input.field("headers") {
        Value::Array(list) => list.to_vec(),
        _ => Vec::new(),
    };
    let mut headers = Vec::new();
    for (place, header) in list.iter().enumerate() {
        let (key, name) = (header.field("key"), header.field("name"));
        let key = if key.exists() { key.to_text() } else { name.to_text() };
        let value = header.field("value").to_text();
        let number = place + 1;
        if key.is_empty() {
            continue;
        }
        if headers.len() == HEADERS_MAX {
            return Err(wrong(format!("headers: there are more than {HEADERS_MAX}")));
        }
        if key.chars().count() > KEY_CHARS_MAX {
            return Err(wrong(format!("headers[{number}].key: it has more than {KEY_CHARS_MAX} letters")));
        }
        if value.chars().count() > VALUE_CHARS_MAX {
            return Err(wrong(format!("headers[{number}].value: it has more than {VALUE_CHARS_MAX} letters")));
        }
        headers.push((key, value));
    }
    Ok(Response { status, headers, body: call.input.field("body") })
}

/// Tells whether the body is JSON text: a header says so.
fn is_json(node: &ModuleNode, field: &str) -> bool {
    let headers = node.mapper["headers"].as_array().map(Vec::as_slice).unwrap_or_default();
    let says_json = headers.iter().any(|header| {
        let text = |name: &str| header[name].as_str().unwrap_or_default().to_ascii_lowercase();
        (text("key") == "content-type" || text("name") == "content-type") && text("value").contains("json")
    });
    field == "body" && says_json
}
