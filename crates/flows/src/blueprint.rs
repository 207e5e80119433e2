//! The stored document: a blueprint in JSON, or the same structure in YAML.
//!
//! The text is the user's and is kept as it came; what stands here is derived
//! from it and is never written back. Keys that nobody knows are read over.
//! The format has a version in `metadata.version`, of which only 1 has ever
//! been seen; it is refused if it is anything else.

use serde::Deserialize;
use serde_json::{Map, Value as Json};

/// A document that has been read.
#[derive(Clone, Debug, Deserialize)]
pub struct Blueprint {
    /// What people call the flow.
    #[serde(default)]
    pub name: String,
    /// The modules, in the order in which they run.
    pub flow: Vec<ModuleNode>,
    /// Settings and what the editor remembers.
    #[serde(default)]
    pub metadata: Metadata,
    /// When the flow starts by itself; usually stored beside a blueprint.
    #[serde(default)]
    pub scheduling: Option<Json>,
    /// Variables with their defaults, read as `{{var.flow.name}}`. Our own.
    #[serde(default)]
    pub variables: Map<String, Json>,
}

/// `metadata` of a document.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Metadata {
    /// Version of the format.
    #[serde(default)]
    pub version: Option<u32>,
    /// How it runs.
    #[serde(default)]
    pub scenario: Scenario,
    /// What is our own.
    #[serde(default)]
    pub loopwright: Own,
}

/// `metadata.scenario`: how a flow runs. What is not here is not acted on yet.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Scenario {
    /// One run at a time, in order of arrival.
    #[serde(default)]
    pub sequential: bool,
    /// Bundles are not kept in the history.
    #[serde(default)]
    pub confidential: bool,
}

/// `metadata.loopwright`: settings that blueprints of others do not have. The
/// defaults are those of a YAML file; an imported blueprint keeps the manners
/// of its origin.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Own {
    /// Mapped values inside JSON text are escaped.
    #[serde(default)]
    pub escape_json: Option<bool>,
    /// How often an effect that is safe to repeat is tried again when nobody answered.
    #[serde(default)]
    pub retries: Option<u32>,
}

/// A module in its place, with its settings.
#[derive(Clone, Debug, Deserialize)]
pub struct ModuleNode {
    /// Unique in the document; not a position.
    pub id: u32,
    /// `app:Name`.
    pub module: String,
    /// Version of the app.
    #[serde(default)]
    pub version: Option<u32>,
    /// Static settings, in which nothing is mapped.
    #[serde(default, deserialize_with = "or_empty")]
    pub parameters: Map<String, Json>,
    /// Fields with `{{…}}`.
    #[serde(default)]
    pub mapper: Json,
    /// Condition at the entrance.
    #[serde(default)]
    pub filter: Json,
    /// Ways out of a router.
    #[serde(default)]
    pub routes: Vec<RouteNode>,
    /// Ways out of an if-else, of which a bundle takes one.
    #[serde(default)]
    pub branches: Vec<BranchNode>,
    /// What a merge gives: for each item, what it is for each branch that
    /// comes back.
    #[serde(default)]
    pub outputs: Vec<OutputNode>,
    /// Conditions at the entrance of a merge, one per branch.
    #[serde(default)]
    pub filters: Vec<Json>,
    /// What happens when the module fails.
    #[serde(default)]
    pub onerror: Vec<ModuleNode>,
    /// Settings of aggregators.
    #[serde(default)]
    pub flags: Json,
    /// What the editor remembers; the name that a person gave.
    #[serde(default)]
    pub metadata: Json,
    /// Body of a repeat-until. Our own.
    #[serde(default)]
    pub flow: Vec<ModuleNode>,
    /// Condition that ends a repeat-until. Our own.
    #[serde(default)]
    pub until: Json,
}

/// A way out of a router.
#[derive(Clone, Debug, Deserialize)]
pub struct RouteNode {
    /// Its modules; the filter of the first one is the route's.
    pub flow: Vec<ModuleNode>,
}

/// A way out of an if-else.
#[derive(Clone, Debug, Deserialize)]
pub struct BranchNode {
    /// `condition`, or `else` for what fits no other.
    #[serde(default, rename = "type")]
    pub kind: String,
    /// What people call it.
    #[serde(default)]
    pub label: Option<String>,
    /// When it is taken.
    #[serde(default)]
    pub conditions: Json,
    /// It comes back at the merge behind the if-else.
    #[serde(default)]
    pub merge: bool,
    /// It is never taken.
    #[serde(default)]
    pub disabled: bool,
    /// Its modules.
    #[serde(default)]
    pub flow: Vec<ModuleNode>,
}

/// An item of what a merge gives.
#[derive(Clone, Debug, Deserialize)]
pub struct OutputNode {
    /// Its name.
    pub name: String,
    /// What it is, for each branch that comes back, in their order.
    #[serde(default)]
    pub mappings: Vec<Json>,
}

/// Editors also write `null` and `[]` for "no parameters".
fn or_empty<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Map<String, Json>, D::Error> {
    match Json::deserialize(deserializer)? {
        Json::Object(fields) => Ok(fields),
        Json::Null => Ok(Map::new()),
        Json::Array(values) if values.is_empty() => Ok(Map::new()),
        other => Err(serde::de::Error::custom(format!("parameters must be an object, not {other}"))),
    }
}

impl ModuleNode {
    /// Returns the name that a person gave the module in the editor.
    pub fn label(&self) -> Option<&str> {
        self.metadata.pointer("/designer/name").and_then(Json::as_str)
    }
}

impl Blueprint {
    /// Reads a document: JSON if it begins with a brace, else YAML. The error
    /// is a sentence for the author of the text.
    pub fn read(text: &str) -> Result<Self, String> {
        let text = text.trim_start_matches('\u{feff}').trim_start();
        let blueprint = if text.starts_with('{') { read_json(text)? } else { read_yaml(text)? };
        match blueprint.metadata.version {
            None | Some(1) => Ok(blueprint),
            Some(version) => Err(format!("metadata.version {version} is not known, only 1 is")),
        }
    }
}

fn read_json(text: &str) -> Result<Blueprint, String> {
    let document: Json = serde_json::from_str(text).map_err(|error| error.to_string())?;
    // What the API of the original answers or is sent has the blueprint
    // inside, as an object or as a text that holds one.
    let inside = document.pointer("/response/blueprint").or_else(|| document.get("blueprint"));
    let inside = match inside {
        Some(Json::String(text)) => serde_json::from_str(text).map_err(|error| format!("blueprint: {error}"))?,
        Some(other) => other.clone(),
        None => document,
    };
    let mut blueprint: Blueprint = serde_json::from_value(inside).map_err(|error| error.to_string())?;
    let own = &mut blueprint.metadata.loopwright;
    own.escape_json.get_or_insert(false);
    own.retries.get_or_insert(0);
    Ok(blueprint)
}

fn read_yaml(text: &str) -> Result<Blueprint, String> {
    serde_saphyr::from_str(text).map_err(|error| error.to_string())
}
