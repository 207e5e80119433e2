//! "Create a message".

use serde_json::{Map, Value as Json};

use crate::connection::SLACK;
use crate::modules::http::{HttpCall, Shape, named};
use crate::modules::{Behaviour, Call, Class, Module, ModuleError, Plan};
use crate::value::Value;

/// "Create a message", version 4.
pub const CREATE_MESSAGE: Module =
    module!("slack:CreateMessage", versions[4], Behaviour::Effect(create), json | _node, field | field == "blocks");

/// Fields that are texts, as they are called by both sides.
const TEXTS: [&str; 5] = ["text", "thread_ts", "icon_emoji", "icon_url", "username"];
/// Fields that are on or off.
const TRUTHS: [&str; 5] = ["reply_broadcast", "link_names", "mrkdwn", "unfurl_links", "unfurl_media"];

fn create(call: &mut Call<'_>) -> Result<Plan, ModuleError> {
    let invalid = |message: String| ModuleError::new(Class::BundleValidationError, message);
    let input = call.input;
    let Some(connection) = named::connection(call.parameters) else {
        let message = "Slack needs a connection of kind \"slack\" or \"slack-webhook\": name one in the setting \
                       \"connection\"";
        return Err(ModuleError::new(Class::InvalidConfigurationError, message));
    };
    let mut body = Map::new();
    let channel = input.field("channel");
    if !channel.is_empty() {
        body.insert("channel".into(), channel.to_text().into());
    }
    for name in TEXTS {
        let value = input.field(name);
        if !value.is_empty() {
            body.insert(name.into(), value.to_text().into());
        }
    }
    for name in TRUTHS {
        let value = input.field(name);
        if !value.is_empty() {
            body.insert(name.into(), (value.truth() && value.as_text() != Some("false")).into());
        }
    }
    // Blueprints say it by a tick, Slack by a word.
    match input.field("parse") {
        value if value.is_empty() => {}
        value => {
            let word = match value.to_text().as_str() {
                "true" => "full".to_owned(),
                "false" => "none".to_owned(),
                word => word.to_owned(),
            };
            body.insert("parse".into(), word.into());
        }
    }
    if let Some(blocks) = blocks(&input.field("blocks")).map_err(invalid)? {
        body.insert("blocks".into(), blocks);
    }
    if !body.contains_key("text") && !body.contains_key("blocks") {
        return Err(invalid("a message needs \"text\" or \"blocks\"".into()));
    }
    let body = Json::Object(body);
    Ok(Plan::Http(Box::new(HttpCall::of_service(SLACK, "/chat.postMessage", &body, connection, Shape::Slack))))
}

/// Reads blocks: a list, the same as JSON text, or what the block kit builder
/// copies, a collection with that list.
fn blocks(value: &Value) -> Result<Option<Json>, String> {
    let json = match value {
        value if value.is_empty() => return Ok(None),
        Value::Text(text) => {
            serde_json::from_str(text).map_err(|problem| format!("blocks: not valid JSON: {problem}"))?
        }
        other => other.to_json(),
    };
    match json {
        Json::Array(_) => Ok(Some(json)),
        Json::Object(mut parts) if parts.get("blocks").is_some_and(Json::is_array) => Ok(parts.remove("blocks")),
        _ => Err("blocks: not a list of blocks".into()),
    }
}
