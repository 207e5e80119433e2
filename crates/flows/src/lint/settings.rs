//! Settings of modules: those that are missing, and those that nobody knows.
//!
//! What a module of ours takes is in its schema. Of any other module the
//! document itself tells it, in `metadata.expect` and `metadata.parameters`.

use std::collections::BTreeSet;

use serde_json::{Map, Value as Json};

use super::{id_of, name_of, warning};
use crate::blueprint::Placed;
use crate::flow::Notice;
use crate::modules::http::named;
use crate::modules::{self, Module, writes_structure};
use crate::program::Program;
use crate::structure::{Field, fields_of};
use crate::value::FieldType;

/// How much alike two names must be for one to be meant by the other.
const ALIKE: f64 = 0.8;

/// A part of a module, with where the document and the schema describe it.
const PARTS: [(&str, &str); 2] = [("mapper", "expect"), ("parameters", "parameters")];

pub(super) fn check(modules: &[Placed<'_>], program: &Program) -> Vec<Notice> {
    let mut notices = Vec::new();
    for (_, node) in modules {
        let step = program.steps.iter().find(|step| id_of(node) == Some(step.id));
        let module = step.and_then(|step| step.module);
        for (part, described) in PARTS {
            let settings = node.get(part).and_then(Json::as_object);
            let told = fields_of(&node.get("metadata").unwrap_or(&Json::Null)[described]);
            let schema = schema_of(module, part);
            missing(node, part, settings, &told, &schema, &mut notices);
            values(node, part, settings, &told, &mut notices);
            if let Some(settings) = settings {
                unknown(node, part, settings, &told, &schema, &mut notices);
            }
        }
    }
    notices
}

/// Returns what the schema of a module says about its mapper or parameters;
/// null for what is not known here.
fn schema_of(module: Option<&Module>, part: &str) -> Json {
    let schema = module.and_then(|module| serde_json::from_str::<Json>(module.schema).ok()).unwrap_or_default();
    schema["properties"][part].clone()
}

fn missing(
    node: &Map<String, Json>,
    part: &str,
    settings: Option<&Map<String, Json>>,
    told: &[Field],
    schema: &Json,
    notices: &mut Vec<Notice>,
) {
    let of_schema = schema["required"].as_array().into_iter().flatten().filter_map(Json::as_str);
    let of_document = told.iter().filter(|field| field.required && field.default.is_null());
    let required: BTreeSet<&str> = of_schema.chain(of_document.map(|field| field.name.as_str())).collect();
    let is_there = |name: &str| {
        let value = settings.and_then(|settings| settings.get(name));
        let is_filled = value.is_some_and(|value| !value.is_null() && value.as_str() != Some(""));
        // Blueprints name connections otherwise.
        is_filled || name == "connection" && settings.is_some_and(|settings| named::connection(settings).is_some())
    };
    for name in required.into_iter().filter(|name| !is_there(name)) {
        let label = told.iter().find(|field| field.name == name).and_then(|field| field.label.clone());
        let label = label.or_else(|| schema["properties"][name]["title"].as_str().map(str::to_owned));
        let called = label.filter(|label| label != name).map_or_else(String::new, |label| format!(" ({label})"));
        let text = format!("\"{name}\"{called} is required and missing");
        notices.push(warning(id_of(node), Some(&format!("{part}.{name}")), text));
    }
}

/// Holds values that are not mapped against what the document says of them.
fn values(
    node: &Map<String, Json>,
    part: &str,
    settings: Option<&Map<String, Json>>,
    told: &[Field],
    notices: &mut Vec<Notice>,
) {
    for field in told {
        let Some(value) = settings.and_then(|settings| settings.get(&field.name)) else { continue };
        let is_mapped = value.as_str().is_some_and(|text| text.contains("{{") || text.is_empty());
        if is_mapped || value.is_null() {
            continue;
        }
        let at = format!("{part}.{}", field.name);
        if let Some(choices) = field.limits.get("enum").and_then(Json::as_array)
            && !choices.is_empty()
            && !value.is_array()
            && !choices.contains(value)
        {
            let choices: Vec<String> = choices.iter().map(ToString::to_string).collect();
            let text = format!("{value} is not one of {}", choices.join(", "));
            notices.push(warning(id_of(node), Some(&at), text));
        }
        let number = value.as_f64().or_else(|| value.as_str()?.trim().parse().ok());
        let numbers = [FieldType::Number, FieldType::Integer, FieldType::UnsignedInteger];
        if numbers.contains(&field.kind) {
            let bound = |name: &str| field.limits.get(name).and_then(Json::as_f64);
            let text = match number {
                None if value.is_array() || value.is_object() => continue,
                None => format!("{value} is not a number"),
                Some(number) if bound("min").is_some_and(|min| number < min) => {
                    format!("{value} is less than {}", field.limits["min"])
                }
                Some(number) if bound("max").is_some_and(|max| number > max) => {
                    format!("{value} is more than {}", field.limits["max"])
                }
                Some(_) => continue,
            };
            notices.push(warning(id_of(node), Some(&at), text));
        }
    }
}

fn unknown(
    node: &Map<String, Json>,
    part: &str,
    settings: &Map<String, Json>,
    told: &[Field],
    schema: &Json,
    notices: &mut Vec<Notice>,
) {
    // Of a module that nobody knows, and of one whose fields are its author's,
    // there is nothing to compare with.
    let of_schema: Vec<&String> = schema["properties"].as_object().into_iter().flat_map(Map::keys).collect();
    let is_open = schema.get("additionalProperties").is_some_and(|more| *more != Json::Bool(false));
    if of_schema.is_empty() || is_open || part == "mapper" && is_written_by_its_author(node) {
        return;
    }
    let known: Vec<&str> =
        of_schema.iter().map(|name| name.as_str()).chain(told.iter().map(|field| field.name.as_str())).collect();
    for name in settings.keys().filter(|name| !known.contains(&name.as_str())) {
        if part == "parameters" && is_of_the_editor(name) {
            continue;
        }
        let alike =
            known.iter().map(|known| (strsim::jaro_winkler(&known.to_lowercase(), &name.to_lowercase()), *known));
        let best = alike.filter(|(alike, _)| *alike >= ALIKE).max_by(|one, two| one.0.total_cmp(&two.0));
        let hint = best.map_or_else(String::new, |(_, meant)| format!(": did you mean \"{meant}\"?"));
        let text = format!("\"{}\" knows no \"{name}\", which has no effect{hint}", name_of(node));
        notices.push(warning(id_of(node), Some(&format!("{part}.{name}")), text));
    }
}

fn is_written_by_its_author(node: &Map<String, Json>) -> bool {
    let read = serde_json::from_value(Json::Object(node.clone()));
    let writes = read.is_ok_and(|node: crate::blueprint::ModuleNode| writes_structure(&node));
    let open = ["builtin:BasicAggregator", "builtin:Resume", modules::util::table_aggregator::TABLE_AGGREGATOR.name];
    writes || open.contains(&name_of(node))
}

/// Tells whether a setting names a connection or a key, or is the editor's own.
fn is_of_the_editor(name: &str) -> bool {
    let ends = ["Keychain", "Account", "Connection", "ZLibDeCompress"];
    let names = ["key", "auth", "account", "connection", "hook", "type", "feeder"];
    name.starts_with("__IMT") || names.contains(&name) || ends.iter().any(|end| name.ends_with(end))
}
