//! What a flow names that is another thing in another place: connections,
//! hooks, pools, knowledge models. Whoever takes a flow from a test to a
//! production environment gives other names, and leaves the rest of the text
//! as it was written, comments and all.

use serde_json::Value as Json;

use super::{Format, Places, document, is_json, modules, write};

/// What is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Named {
    /// A connection, or a key.
    Connection,
    /// A webhook.
    Hook,
    /// A data pool.
    Pool,
    /// A knowledge model.
    Model,
}

/// A name in a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    /// What it names.
    pub of: Named,
    /// The name; `connection:12`, `key:34` or `hook:77` for a number.
    pub name: String,
    /// Id of the module.
    pub module: u32,
    /// Where it stands, such as `parameters.connection`.
    pub field: String,
}

impl Named {
    /// Returns what people call it.
    pub fn word(self) -> &'static str {
        match self {
            Named::Connection => "connection",
            Named::Hook => "hook",
            Named::Pool => "pool",
            Named::Model => "knowledge model",
        }
    }
}

/// Finds the names in a document, in the order of its text.
pub fn names(document: &Json) -> Vec<Name> {
    let mut found = Vec::new();
    for (spot, node) in modules(document) {
        let id = node.get("id").and_then(Json::as_u64).and_then(|id| u32::try_from(id).ok());
        let Some(id) = id.filter(|_| !spot.is_orphan) else { continue };
        for part in ["parameters", "mapper"] {
            for (setting, value) in node.get(part).and_then(Json::as_object).into_iter().flatten() {
                let Some((of, number)) = named_by(setting, part) else { continue };
                let name = match value {
                    Json::Number(value) => format!("{number}:{value}"),
                    Json::String(text) if text.is_empty() || text.contains("{{") => continue,
                    Json::String(text) if text.bytes().all(|letter| letter.is_ascii_digit()) => {
                        format!("{number}:{text}")
                    }
                    Json::String(text) => text.clone(),
                    _ => continue,
                };
                found.push(Name { of, name, module: id, field: format!("{part}.{setting}") });
            }
        }
    }
    found
}

/// Tells what a setting names, and what a number in it is called.
fn named_by(setting: &str, part: &str) -> Option<(Named, &'static str)> {
    let is_parameter = part == "parameters";
    Some(match setting {
        "connection" | "account" | "__IMTCONN__" if is_parameter => (Named::Connection, "connection"),
        "key" | "auth" | "certificate" | "__IMTKEY__" if is_parameter => (Named::Connection, "key"),
        "hook" | "__IMTHOOK__" if is_parameter => (Named::Hook, "hook"),
        "pool" | "dataPool" => (Named::Pool, "pool"),
        "knowledgeModel" => (Named::Model, "model"),
        name if is_parameter && name.ends_with("Keychain") && name != "proxyKeychain" => (Named::Connection, "key"),
        name if is_parameter && (name.ends_with("Account") || name.ends_with("Connection")) => {
            (Named::Connection, "connection")
        }
        _ => return None,
    })
}

/// Gives things other names in a text; `other` tells which. What it knows no
/// name for stays.
pub fn renamed(text: &str, other: &dyn Fn(Named, &str) -> Option<String>) -> Result<String, String> {
    let mut read = document(text)?;
    let changes: Vec<(Name, String)> = names(&read)
        .into_iter()
        .filter_map(|name| Some((other(name.of, &name.name).filter(|new| *new != name.name)?, name)))
        .map(|(new, name)| (name, new))
        .collect();
    if changes.is_empty() {
        return Ok(text.to_owned());
    }
    let places = Places::of(text);
    let spans: Option<Vec<_>> = changes
        .iter()
        .map(|(name, new)| {
            Some((places.as_ref()?.scalar(name.module, &name.field)?, Json::from(new.as_str()).to_string()))
        })
        .collect();
    if let Some(mut spans) = spans {
        // From the end, so that what stands before keeps its place.
        spans.sort_by_key(|(span, _)| std::cmp::Reverse(span.start));
        let mut text = text.to_owned();
        for (span, new) in spans {
            text.replace_range(span, &new);
        }
        return Ok(text);
    }
    // It stands in JSON inside JSON, for example: the text is written anew.
    let pointers: Vec<(String, u32)> = modules(&read)
        .iter()
        .filter_map(|(spot, node)| Some((spot.pointer.clone(), node.get("id")?.as_u64()?.try_into().ok()?)))
        .collect();
    for (name, new) in changes {
        let Some((pointer, _)) = pointers.iter().find(|(_, id)| *id == name.module) else { continue };
        let pointer = format!("{pointer}/{}", name.field.replace('.', "/"));
        if let Some(value) = read.pointer_mut(&pointer) {
            *value = new.into();
        }
    }
    write(&read, if is_json(text) { Format::Json } else { Format::Yaml })
}
