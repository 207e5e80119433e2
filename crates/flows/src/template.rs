//! Templates: flows that a person starts from by filling in a form.
//!
//! A template is a file: what it is called, what is to be filled in, in the
//! specification of fields that blueprints use everywhere, and the flow. In the
//! flow `${name}` stands for what was filled in; a text that is nothing else
//! takes the value with its type, and `${names as items of 1}` makes of a list
//! of names a collection that takes each from the bundle of module 1. What
//! comes out is a draft like any other.

use jiff::tz::TimeZone;
use serde::Deserialize;
use serde_json::{Map, Value as Json};

use crate::blueprint::{self, Format};
use crate::form::Form;
use crate::value::Value;

/// The files, by the keys of their templates.
const FILES: [(&str, &str); 2] = [
    ("databricks-job", include_str!("template/databricks-job.yaml")),
    ("webhook-to-pool", include_str!("template/webhook-to-pool.yaml")),
];

/// A template.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Template {
    /// What it is called in addresses and on the command line.
    #[serde(skip)]
    pub key: String,
    /// What people call it.
    pub title: String,
    /// What its flow does, in a sentence or two.
    pub description: String,
    /// What is to be filled in: a list of fields.
    pub parameters: Json,
    flow: Json,
}

/// Returns all templates.
pub fn templates() -> Vec<Template> {
    let read = |(key, text): &(&str, &str)| {
        let template: Template = serde_saphyr::from_str(text).expect("a test reads every template");
        Template { key: (*key).to_owned(), ..template }
    };
    FILES.iter().map(read).collect()
}

/// Finds a template by its key.
pub fn find(key: &str) -> Option<Template> {
    templates().into_iter().find(|template| template.key == key)
}

impl Template {
    /// Returns the form of what is to be filled in, as JSON Schema.
    pub fn form(&self) -> Json {
        Form::read(&self.parameters).expect("a test reads every template").schema(&self.title)
    }

    /// Makes the text of a flow of what was filled in. The error says what does
    /// not fit.
    pub fn fill(&self, given: &Map<String, Json>) -> Result<String, String> {
        let form = Form::read(&self.parameters)?;
        if let Some(unknown) = given.keys().find(|name| !form.has(name)) {
            return Err(format!("the template \"{}\" has no \"{unknown}\"", self.key));
        }
        let filled = form
            .fill(&Value::from_json(Json::Object(given.clone())), &TimeZone::UTC)
            .map_err(|misfits| misfits.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))?;
        blueprint::write(&put_in(&self.flow, &filled.to_json()), Format::Yaml)
    }
}

fn put_in(document: &Json, filled: &Json) -> Json {
    match document {
        Json::String(text) => text_with(text, filled),
        Json::Array(items) => items.iter().map(|item| put_in(item, filled)).collect(),
        Json::Object(fields) => fields.iter().map(|(name, value)| (name.clone(), put_in(value, filled))).collect(),
        other => other.clone(),
    }
}

fn text_with(text: &str, filled: &Json) -> Json {
    if let Some(inside) = text.strip_prefix("${").and_then(|rest| rest.strip_suffix('}'))
        && !inside.contains('}')
    {
        if let Some((name, module)) = inside.split_once(" as items of ") {
            let names = filled[name].as_array().into_iter().flatten().filter_map(Json::as_str);
            let item = |name: &str| (name.to_owned(), Json::String(format!("{{{{{module}.`{name}`}}}}")));
            return Json::Object(names.map(item).collect());
        }
        return filled[inside].clone();
    }
    let mut text = text.to_owned();
    for (name, value) in filled.as_object().into_iter().flatten() {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        text = text.replace(&format!("${{{name}}}"), &value);
    }
    Json::String(text)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::lint::lint;
    use crate::program::Program;

    fn filled(key: &str, given: &Json) -> Result<String, String> {
        find(key).expect("a template").fill(given.as_object().expect("an object"))
    }

    #[test]
    fn every_template_lints_clean_when_it_is_filled_in() {
        for (key, given) in [
            ("databricks-job", json!({"job": 912_345_678_901_234_567_i64, "connection": "databricks"})),
            ("webhook-to-pool", json!({"pool": "p-1", "table": "ContiPush", "columns": ["Order ID", "Date"]})),
        ] {
            let text = filled(key, &given).expect("it is filled in");
            let report = lint(&text);
            assert!(report.problem.is_none() && report.remarks.is_empty(), "{key}: {:#?}\n{text}", report.remarks);
            assert!(!text.contains("${"), "{text}");
        }
        assert_eq!(templates().len(), 2);
    }

    #[test]
    fn what_is_filled_in_is_checked() {
        for (given, expected) in [
            (json!({}), "\"job\" is missing: it must be a whole number; \"connection\" is missing: it must be a text"),
            (json!({"job": "many", "connection": "c"}), "\"job\" does not fit: \"many\" is not a number"),
            (json!({"jbo": 1}), "the template \"databricks-job\" has no \"jbo\""),
        ] {
            assert_eq!(filled("databricks-job", &given).expect_err("it does not fit"), expected);
        }
    }

    #[test]
    fn the_webhook_takes_300_rows_every_5_minutes() {
        let text = filled("webhook-to-pool", &json!({"pool": "p-1", "table": "T", "columns": ["Order ID"]}));
        let program = Program::compile(&text.expect("it is filled in")).expect("it compiles");
        assert_eq!(program.start.results_max(), Some(300));
        assert!(!program.takes_at_once(), "what comes waits for the schedule");
        let csv = program.steps.iter().find(|step| step.id == 2).expect("a step");
        assert_eq!(csv.mapper.names(), ["Order ID"]);
    }
}
