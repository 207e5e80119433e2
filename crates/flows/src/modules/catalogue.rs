//! The modules as an editor lists them: under their app, with its colour, the
//! form of their settings, and the fields that they are known to give.

use serde::Serialize;
use serde_json::Value as Json;

use super::{Behaviour, MODULES, Module};

/// An app: modules that belong together.
struct App {
    /// The part before the colon.
    key: &'static str,
    name: &'static str,
    /// Of its modules; white text on it has a contrast of 4.5 or more.
    colour: &'static str,
    /// What people type who look for it.
    words: &'static [&'static str],
}

static APPS: &[App] = &[
    App { key: "builtin", name: "Flow control", colour: "#4d7a17", words: &["flow control", "loop", "error"] },
    App { key: "csv", name: "CSV", colour: "#0f766e", words: &["csv", "file", "table"] },
    App {
        key: "databricks",
        name: "Databricks",
        colour: "#c8321f",
        words: &["databricks", "job", "spark", "notebook"],
    },
    App { key: "datastore", name: "Data store", colour: "#3f5e8c", words: &["data store", "record", "key"] },
    App { key: "email", name: "Email", colour: "#a3346d", words: &["mail", "smtp", "message"] },
    App { key: "gateway", name: "Webhooks", colour: "#b03060", words: &["webhook", "hook", "request"] },
    App { key: "http", name: "HTTP", colour: "#0b6fa8", words: &["http", "api", "rest", "url", "request"] },
    App { key: "json", name: "JSON", colour: "#6d4bb8", words: &["json", "parse", "structure"] },
    App { key: "loopwright", name: "Loopwright", colour: "#2459d6", words: &["loopwright", "celonis", "process"] },
    App { key: "regexp", name: "Text parser", colour: "#7c5211", words: &["text", "regular expression", "html"] },
    App { key: "scenario-service", name: "Flows", colour: "#5b3fa0", words: &["scenario", "sub-flow", "call"] },
    App { key: "slack", name: "Slack", colour: "#611f69", words: &["slack", "message", "chat"] },
    App { key: "util", name: "Tools", colour: "#8a4b08", words: &["tools", "variable", "sleep", "aggregator"] },
    App { key: "xml", name: "XML", colour: "#99502f", words: &["xml", "parse"] },
];

/// Modules that only run what older flows bring; nobody is offered them.
const OLDER: [&str; 3] = ["util:SetVariable", "util:GetVariable", "util:BasicTrigger"];

/// A kind of module, as an editor lists it.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Listed {
    /// `app:Name`, as blueprints have it.
    pub name: &'static str,
    /// Versions of the app that are known.
    pub versions: &'static [u32],
    /// The part before the colon.
    pub app: &'static str,
    /// What people call the app.
    pub app_name: &'static str,
    /// The app's colour, on which white text can be read.
    pub colour: &'static str,
    /// What people call the module.
    pub label: String,
    /// What it does, in a sentence.
    pub description: String,
    /// What sort it is: `start`, `action` (it computes), `effect`, `respond`,
    /// `loop`, `aggregator`, `router`, `if-else`, `merge`, `repeat-until` or
    /// `directive`.
    pub kind: &'static str,
    /// It only runs what older flows bring.
    pub older: bool,
    /// JSON Schema of `parameters` and `mapper`.
    pub schema: Json,
    /// An SVG of 24 by 24, in the colour of the text around it.
    pub icon: &'static str,
    /// Fields that its bundles are known to have: `name`, `kind`, perhaps
    /// `label` and `fields`.
    pub outputs: Json,
    /// What people type who look for it.
    pub words: &'static [&'static str],
}

impl Behaviour {
    /// Returns the word for what sort of module this is.
    pub fn word(&self) -> &'static str {
        match self {
            Behaviour::Start(_) => "start",
            Behaviour::Pure(_) => "action",
            Behaviour::Loop(_) => "loop",
            Behaviour::Effect(_) => "effect",
            Behaviour::Respond(_) => "respond",
            Behaviour::Aggregator(_) => "aggregator",
            Behaviour::Router => "router",
            Behaviour::IfElse => "if-else",
            Behaviour::Merge => "merge",
            Behaviour::RepeatUntil => "repeat-until",
            Behaviour::Directive(_) => "directive",
        }
    }
}

/// Lists the modules that run.
pub fn listed() -> Vec<Listed> {
    MODULES.iter().map(|module| list(module)).collect()
}

fn list(module: &'static Module) -> Listed {
    let key = module.name.split(':').next().unwrap_or_default();
    let app = APPS.iter().find(|app| app.key == key).expect("every app is in the list; a test looks");
    let mut schema: Json = serde_json::from_str(module.schema).expect("schemas are JSON; a test looks");
    let outputs =
        schema.as_object_mut().and_then(|fields| fields.shift_remove("outputs")).unwrap_or_else(|| Json::Array(vec![]));
    let text = |name: &str| schema[name].as_str().unwrap_or_default().to_owned();
    Listed {
        name: module.name,
        versions: module.versions,
        app: app.key,
        app_name: app.name,
        colour: app.colour,
        label: text("title"),
        description: text("description"),
        kind: module.behaviour.word(),
        older: OLDER.contains(&module.name),
        outputs,
        icon: module.icon,
        words: app.words,
        schema,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Relative luminance of `#rrggbb`, as WCAG 2 has it.
    fn luminance(colour: &str) -> f64 {
        let part = |at: usize| {
            let value = f64::from(u8::from_str_radix(&colour[at..at + 2], 16).expect("two digits")) / 255.0;
            if value <= 0.040_45 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * part(1) + 0.7152 * part(3) + 0.0722 * part(5)
    }

    #[test]
    fn every_module_is_listed_with_a_colour_that_white_can_be_read_on() {
        let all = listed();
        assert_eq!(all.len(), MODULES.len());
        for module in all {
            let contrast = 1.05 / (luminance(module.colour) + 0.05);
            assert!(contrast >= 4.5, "{}: {contrast:.2}", module.name);
            assert!(!module.label.is_empty() && !module.description.is_empty(), "{} has no words", module.name);
            check_fields(module.name, &module.outputs);
        }
    }

    fn check_fields(module: &str, fields: &Json) {
        const KINDS: [&str; 8] = ["text", "number", "boolean", "date", "collection", "array", "buffer", "any"];
        for field in fields.as_array().unwrap_or_else(|| panic!("outputs of {module} are a list")) {
            assert!(field["name"].is_string(), "an output of {module} has no name: {field}");
            assert!(field["kind"].as_str().is_some_and(|kind| KINDS.contains(&kind)), "{module}: {field}");
            if let Some(inner) = field.get("fields") {
                check_fields(module, inner);
            }
        }
    }
}
