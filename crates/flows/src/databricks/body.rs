//! From the fields of a module to the body of a question, with the checks that
//! a workspace would otherwise make after the call.

use bytes::Bytes;
use serde_json::{Map, Value as Json, json};

use super::problem::malformed;
use crate::modules::{Call, Class, ModuleError};
use crate::value::Value;

/// Bytes of each of the older families of parameters.
const FAMILY_BYTES_MAX: usize = 10_000;
/// Letters of a token.
pub(crate) const TOKEN_LETTERS_MAX: usize = 64;

/// What a family of parameters is made of.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// Names and texts.
    Named,
    /// Texts in order.
    List,
    /// Whatever it is.
    Free,
}

/// The families, the recommended one first.
const FAMILIES: [(&str, Form); 9] = [
    ("job_parameters", Form::Named),
    ("notebook_params", Form::Named),
    ("python_params", Form::List),
    ("python_named_params", Form::Named),
    ("jar_params", Form::List),
    ("sql_params", Form::Named),
    ("spark_submit_params", Form::List),
    ("dbt_commands", Form::List),
    ("pipeline_params", Form::Free),
];

pub(crate) fn invalid(message: impl Into<String>) -> ModuleError {
    ModuleError::new(Class::BundleValidationError, message)
}

/// Returns the connection of a module.
pub(crate) fn connection(call: &Call<'_>) -> Result<String, ModuleError> {
    crate::modules::http::named::connection(call.parameters).ok_or_else(|| {
        let message = "the module needs a connection to a workspace: name one in the setting \"connection\", such as \
                       \"local-workspace\"";
        ModuleError::new(Class::InvalidConfigurationError, message)
    })
}

/// Returns an id that must be there, with all its digits.
pub(crate) fn needed_id(call: &Call<'_>, name: &str) -> Result<i64, ModuleError> {
    match call.input.field(name) {
        value if value.is_empty() => Err(invalid(format!("missing value of required parameter \"{name}\""))),
        value => id(name, &value),
    }
}

fn id(name: &str, value: &Value) -> Result<i64, ModuleError> {
    match value {
        Value::Int(id) => Ok(*id),
        Value::Text(text) => text
            .trim()
            .parse()
            .map_err(|_| invalid(format!("{name}: \"{}\" is not an id, which is a whole number", text.trim()))),
        Value::Float(_) => Err(invalid(format!(
            "{name}: {} was a number with a fraction on its way, so its last digits may be wrong: pass it as text",
            value.to_text()
        ))),
        other => Err(invalid(format!("{name}: \"{}\" is not an id, which is a whole number", other.to_text()))),
    }
}

/// Reads the families of parameters into a body.
pub(crate) fn parameters(call: &Call<'_>, body: &mut Map<String, Json>) -> Result<(), ModuleError> {
    for (family, form) in FAMILIES {
        let value = call.input.field(family);
        if value.is_empty() {
            continue;
        }
        let value = match form {
            Form::Named => named(family, &value)?,
            Form::List => listed(family, &value)?,
            Form::Free => free(family, &value)?,
        };
        let is_nothing = value.as_object().is_some_and(Map::is_empty) || value.as_array().is_some_and(Vec::is_empty);
        if is_nothing {
            continue;
        }
        let text = value.to_string();
        if family != "job_parameters" && text.len() > FAMILY_BYTES_MAX {
            return Err(invalid(format!(
                "{family}: it has {} bytes, and at most {FAMILY_BYTES_MAX} are allowed: put the data into a file of a volume, and pass its path",
                text.len()
            )));
        }
        if matches!(family, "python_params" | "spark_submit_params") && !text.is_ascii() {
            return Err(invalid(format!("{family}: only ASCII is allowed: use \"job_parameters\"")));
        }
        body.insert(family.to_owned(), value);
    }
    if body.contains_key("jar_params") && body.contains_key("notebook_params") {
        return Err(invalid("\"jar_params\" and \"notebook_params\" exclude each other: use \"job_parameters\""));
    }
    Ok(())
}

fn named(family: &str, value: &Value) -> Result<Json, ModuleError> {
    let text = |value: &Value| Json::String(value.to_text());
    match value {
        Value::Collection(fields) => {
            Ok(fields.iter().map(|(name, value)| (name.clone(), text(value))).collect::<Map<_, _>>().into())
        }
        Value::Array(pairs) if pairs.iter().all(|pair| matches!(pair, Value::Collection(_))) => {
            let pairs = pairs.iter().map(|pair| {
                let name = ["name", "key"].iter().map(|name| pair.field(name)).find(Value::exists).unwrap_or_default();
                (name.to_text(), text(&pair.field("value")))
            });
            Ok(pairs.filter(|(name, _)| !name.is_empty()).collect::<Map<_, _>>().into())
        }
        Value::Text(written) => match written_json(family, written)? {
            Json::Object(fields) => named(family, &Value::from_json(Json::Object(fields))),
            _ => Err(invalid(format!("{family}: names and values are needed, such as {{\"case_id\": \"17\"}}"))),
        },
        _ => Err(invalid(format!("{family}: names and values are needed, such as {{\"case_id\": \"17\"}}"))),
    }
}

fn listed(family: &str, value: &Value) -> Result<Json, ModuleError> {
    match value {
        Value::Array(values) => Ok(values.iter().map(|value| Json::String(value.to_text())).collect()),
        Value::Text(written) if written.trim_start().starts_with('[') => {
            let list = written_json(family, written)?;
            listed(family, &Value::from_json(list))
        }
        simple => Ok(json!([simple.to_text()])),
    }
}

fn free(family: &str, value: &Value) -> Result<Json, ModuleError> {
    match value {
        Value::Text(written) => written_json(family, written),
        other => Ok(other.to_json()),
    }
}

/// Reads a field that holds JSON as text, or a value that is one already.
pub(crate) fn json_field(call: &Call<'_>, name: &str) -> Result<Option<Json>, ModuleError> {
    match call.input.field(name) {
        value if value.is_empty() => Ok(None),
        value => free(name, &value).map(Some),
    }
}

fn written_json(field: &str, text: &str) -> Result<Json, ModuleError> {
    serde_json::from_str(text).map_err(|_| {
        let place = malformed(text.as_bytes()).unwrap_or_default();
        invalid(format!("{field}: it is not valid JSON: {place}"))
    })
}

/// Reads what concerns the start of a run, but not its parameters.
pub(crate) fn starting(call: &Call<'_>, body: &mut Map<String, Json>) -> Result<(), ModuleError> {
    let input = call.input;
    let only = input.field("only");
    if !only.is_empty() {
        let only = match &only {
            Value::Text(keys) if !keys.trim_start().starts_with('[') => {
                keys.split(',').map(|key| Json::String(key.trim().to_owned())).collect()
            }
            list => listed("only", list)?,
        };
        body.insert("only".into(), only);
    }
    let queue = input.field("queue");
    if !queue.is_empty() {
        let enabled = queue.truth() && queue.as_text() != Some("false");
        body.insert("queue".into(), json!({ "enabled": enabled }));
    }
    let target = input.field("performance_target");
    if !target.is_empty() {
        body.insert("performance_target".into(), target.to_text().into());
    }
    let token = input.field("idempotency_token").to_text();
    if token.len() > TOKEN_LETTERS_MAX {
        let letters = token.len();
        return Err(invalid(format!("idempotency_token: it has {letters} letters, and at most 64 are allowed")));
    }
    if !token.is_empty() {
        body.insert("idempotency_token".into(), token.into());
    }
    Ok(())
}

/// Reads how a run is waited for.
pub(crate) fn wait(call: &Call<'_>) -> Result<super::Wait, ModuleError> {
    let fails = match call.parameter("onFailure").unwrap_or("error") {
        "error" => true,
        "continue" => false,
        other => return Err(invalid(format!("onFailure: \"{other}\" is not error or continue"))),
    };
    let cancels = match call.parameter("onDeadline").unwrap_or("cancel") {
        "cancel" => true,
        "leave" => false,
        other => return Err(invalid(format!("onDeadline: \"{other}\" is not cancel or leave"))),
    };
    let outputs = call.parameters.get("outputs").and_then(Json::as_bool).unwrap_or(true);
    Ok(super::Wait { deadline: minutes(call, "deadline")?, cancels, fails, outputs })
}

/// Reads a number of minutes.
pub(crate) fn minutes(call: &Call<'_>, name: &str) -> Result<Option<std::time::Duration>, ModuleError> {
    match call.input.field(name) {
        value if value.is_empty() => Ok(None),
        value => match value.to_f64().filter(|minutes| *minutes > 0.0 && *minutes <= 60.0 * 24.0 * 60.0) {
            Some(minutes) => Ok(Some(std::time::Duration::from_secs_f64(minutes * 60.0))),
            None => Err(invalid(format!("{name}: \"{}\" is not a number of minutes, up to 60 days", value.to_text()))),
        },
    }
}

/// Reads the body of a question to a serving endpoint: exactly one of its forms.
pub(crate) fn query(call: &Call<'_>) -> Result<Bytes, ModuleError> {
    const FORMS: [&str; 7] =
        ["dataframe_records", "dataframe_split", "inputs", "instances", "messages", "prompt", "input"];
    const BESIDES: [&str; 8] =
        ["max_tokens", "temperature", "stop", "n", "extra_params", "client_request_id", "usage_context", "params"];
    let raw = call.input.field("body");
    if !raw.is_empty() {
        let text = raw.to_bytes();
        let body =
            if matches!(raw, Value::Text(_) | Value::Buffer(_)) { text } else { raw.to_json().to_string().into() };
        return match malformed(&body) {
            None => Ok(body),
            Some(place) => Err(invalid(format!("body: it is not valid JSON: {place}"))),
        };
    }
    let mut body = Map::new();
    let given: Vec<&str> = FORMS.into_iter().filter(|form| !call.input.field(form).is_empty()).collect();
    let [form] = given[..] else {
        let given =
            if given.is_empty() { "none is given".to_owned() } else { format!("{} are given", given.join(", ")) };
        return Err(invalid(format!("exactly one of {} is needed, and {given}", FORMS.join(", "))));
    };
    for name in std::iter::once(form).chain(BESIDES) {
        let value = call.input.field(name);
        if value.is_empty() {
            continue;
        }
        let is_plain = matches!(name, "prompt" | "input" | "client_request_id" | "stop");
        let json = match &value {
            Value::Text(text) if is_plain => Json::String(text.to_string()),
            Value::Text(text) if text.trim_start().starts_with(['[', '{']) => written_json(name, text)?,
            other => other
                .to_number()
                .filter(|_| matches!(name, "max_tokens" | "temperature" | "n"))
                .unwrap_or_else(|| other.clone())
                .to_json(),
        };
        body.insert(name.to_owned(), json);
    }
    // A single row is a list of one.
    if matches!(form, "dataframe_records" | "messages") && body[form].is_object() {
        body[form] = json!([body[form]]);
    }
    Ok(Bytes::from(Json::Object(body).to_string()))
}

/// Reads values that are bound to the markers of a statement.
pub(crate) fn bound(value: &Value) -> Result<Vec<Json>, ModuleError> {
    let one = |name: &str, value: &Value, kind: Option<String>| {
        let mut bound = json!({ "name": name });
        if value.exists() {
            bound["value"] = value.to_text().into();
        }
        let usual = match value {
            Value::Int(_) => Some("BIGINT"),
            Value::Float(_) => Some("DOUBLE"),
            Value::Bool(_) => Some("BOOLEAN"),
            Value::Date(_) => Some("TIMESTAMP"),
            _ => None,
        };
        if let Some(kind) = kind.filter(|kind| !kind.is_empty()).or_else(|| usual.map(str::to_owned)) {
            bound["type"] = kind.into();
        }
        bound
    };
    match value {
        value if value.is_empty() => Ok(Vec::new()),
        Value::Collection(fields) => Ok(fields.iter().map(|(name, value)| one(name, value, None)).collect()),
        Value::Array(entries) => Ok(entries
            .iter()
            .map(|entry| {
                one(&entry.field("name").to_text(), &entry.field("value"), Some(entry.field("type").to_text()))
            })
            .collect()),
        Value::Text(text) => bound(&Value::from_json(written_json("parameters", text)?)),
        _ => Err(invalid("parameters: names and values are needed, such as {\"case_id\": \"17\"}")),
    }
}

/// Returns a field that must be filled in.
pub(crate) fn needed(call: &Call<'_>, name: &str) -> Result<String, ModuleError> {
    let text = call.input.field(name).to_text();
    if text.trim().is_empty() {
        return Err(invalid(format!("missing value of required parameter \"{name}\"")));
    }
    Ok(text.trim().to_owned())
}
