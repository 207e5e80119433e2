//! The stored document: a blueprint in JSON, or the same structure in YAML.
//!
//! The text is the user's and is kept as it came; what stands here is derived
//! from it and is never written back. Keys that nobody knows are read over.
//! The format has a version in `metadata.version`, of which only 1 has ever
//! been seen; it is refused if it is anything else.

mod archive;
mod container;
mod export;
mod names;
mod places;
mod walk;
#[cfg(test)]
mod tests;

use serde::Deserialize;
use serde_json::{Map, Value as Json};

pub use archive::{Entry, is_archive, read as read_archive, write as write_archive};
pub use container::{Carried, Upload, document, is_json};
pub use export::{Format, export, write};
pub use names::{Name, Named, names, renamed};
pub use places::{Place, Places};
pub use walk::{List, Placed, Spot, modules, texts};

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
    /// What it is given and what it gives: `input` and `output` are lists of
    /// fields.
    #[serde(default)]
    pub interface: Json,
    /// The same in older documents, as `input_spec` and `output_spec`.
    #[serde(default)]
    pub io: Json,
    /// Variables with their defaults, read as `{{var.flow.name}}`. Our own.
    #[serde(default)]
    pub variables: Map<String, Json>,
    /// Whose manners hold where nothing is said; those of the format, unless
    /// the document was taken from one to the other. Our own.
    #[serde(default)]
    manners: Option<Manners>,
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

/// `metadata.scenario`: how a flow runs. What is not here is not acted on.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Scenario {
    /// Cycles of a run that nothing starts with data; 1 if nothing is said.
    #[serde(default)]
    pub roundtrips: Option<u64>,
    /// Failed runs in a row after which the flow is switched off; 3 if nothing
    /// is said.
    #[serde(default)]
    pub max_errors: Option<u32>,
    /// Each module is committed after its operation; else all of them at the
    /// end of the cycle.
    #[serde(default)]
    pub auto_commit: Option<bool>,
    /// What began the run is committed last all the same, so that a failure
    /// leaves it unprocessed.
    #[serde(default)]
    pub auto_commit_trigger_last: Option<bool>,
    /// Failed bundles can be stored as incomplete executions.
    #[serde(default)]
    pub dlq: Option<bool>,
    /// Where there is no room to store one, it is dropped and the run goes on.
    #[serde(default)]
    pub dataloss: Option<bool>,
    /// One run at a time, in order of arrival.
    #[serde(default)]
    pub sequential: bool,
    /// Bundles are not kept in the history.
    #[serde(default)]
    pub confidential: bool,
    /// Runs at the same time at most. It is not acted on, and the check of the
    /// flow says so.
    #[serde(default)]
    pub slots: Json,
    /// Variables are read again during the run. It is not acted on either: a
    /// replay must see what the run saw.
    #[serde(default)]
    pub fresh_variables: Json,
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
    /// Requests to a hook that one run takes, where the module does not say.
    #[serde(default)]
    pub max_results: Option<u32>,
    /// The time zone of the flow, such as `Europe/Berlin`: for dates that do
    /// not name one. UTC if it is not said.
    #[serde(default)]
    pub zone: Option<String>,
    /// Failed runs in a row after which a flow is switched off whose runs are
    /// started by data at once.
    #[serde(default)]
    pub instant_errors_max: Option<u32>,
    /// What a run began with goes back to its hook when the run fails.
    #[serde(default)]
    pub returns_items: Option<bool>,
    /// How the open points of the language are read, where not as the engine
    /// is set to.
    #[serde(default)]
    pub semantics: Map<String, Json>,
    /// Whose manners hold where nothing is said.
    #[serde(skip)]
    pub manners: Manners,
}

/// Whose manners a document has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Manners {
    /// Those of Loopwright: it is written in YAML.
    #[default]
    Ours,
    /// Those of where it comes from: it is a blueprint in JSON.
    Origin,
}

impl Manners {
    /// Returns what documents call it.
    pub fn word(self) -> &'static str {
        match self {
            Manners::Ours => "ours",
            Manners::Origin => "origin",
        }
    }
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
    /// Returns the fields that it is given when it is started by hand or by
    /// another flow; null if it declares none.
    pub fn inputs(&self) -> &Json {
        [self.interface.get("input"), self.io.get("input_spec")].into_iter().flatten().next().unwrap_or(&Json::Null)
    }

    /// Reads a document: JSON if it begins with a brace, else YAML. The error
    /// is a sentence for the author of the text.
    pub fn read(text: &str) -> Result<Self, String> {
        let text = without_mark(text);
        let is_json = is_json(text);
        let mut blueprint: Self = if is_json {
            serde_json::from_value(document(text)?).map_err(|error| error.to_string())?
        } else {
            serde_saphyr::from_str_with_options(text, yaml_options()).map_err(|error| error.to_string())?
        };
        let own = &mut blueprint.metadata.loopwright;
        own.manners = blueprint.manners.unwrap_or(if is_json { Manners::Origin } else { Manners::Ours });
        if own.manners == Manners::Origin {
            own.escape_json.get_or_insert(false);
            own.retries.get_or_insert(0);
            own.max_results.get_or_insert(1);
        }
        match blueprint.metadata.version {
            None | Some(1) => Ok(blueprint),
            Some(version) => Err(format!("metadata.version {version} is not known, only 1 is")),
        }
    }

    /// Reads the tests of a document, as they are written; null if it has none.
    pub fn tests(text: &str) -> Result<Json, String> {
        Ok(document(text)?.get_mut("tests").map(Json::take).unwrap_or_default())
    }
}

fn without_mark(text: &str) -> &str {
    text.trim_start_matches('\u{feff}').trim_start()
}

/// Reads YAML as it is.
fn yaml(text: &str) -> Result<Json, String> {
    serde_saphyr::from_str_with_options(text, yaml_options()).map_err(|error| error.to_string())
}

/// A field may be called `n`, and an answer may be `no`: both are texts.
fn yaml_options() -> serde_saphyr::Options {
    serde_saphyr::options! { strict_booleans: true }
}
