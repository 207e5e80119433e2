//! The kinds of steps.
//!
//! A module is a folder: its code, a JSON Schema of its settings from which the
//! editor draws a form, its icon, and its page of the reference, whose example
//! is a test. Behaviours are *pure* (the same input gives the same bundles, so
//! a replay may compute them again) or *effects*: those only plan here what is
//! to be done outside, and the engine does it between two commits.

/// Puts a module together from the files of its folder.
macro_rules! module {
    ($name:literal, versions $versions:expr, $behaviour:expr) => {
        module!($name, versions $versions, $behaviour, json $crate::modules::nothing_is_json)
    };
    ($name:literal, versions $versions:expr, $behaviour:expr, json $is_json:expr) => {
        $crate::modules::Module {
            name: $name,
            versions: &$versions,
            schema: include_str!("schema.json"),
            icon: include_str!("icon.svg"),
            page: include_str!("page.md"),
            behaviour: $behaviour,
            is_json: $is_json,
        }
    };
}

pub mod builtin;
pub mod csv;
pub mod http;
pub mod json;
pub mod loopwright;
pub mod util;

use std::time::Duration;

use serde_json::{Map, Value as Json};

use crate::blueprint::ModuleNode;
use crate::value::{Collection, Value};

/// A kind of step.
pub struct Module {
    /// `app:Name`, as blueprints have it.
    pub name: &'static str,
    /// Versions of the app that are known; others run as the newest of these.
    pub versions: &'static [u32],
    /// JSON Schema of parameters and mapper.
    pub schema: &'static str,
    /// An SVG of 24 by 24, in the colour of the text around it.
    pub icon: &'static str,
    /// Its page of the reference, in Markdown.
    pub page: &'static str,
    /// What it does.
    pub behaviour: Behaviour,
    /// Tells whether a field of the mapper holds JSON text, in which mapped
    /// values are escaped.
    pub is_json: fn(&ModuleNode, &str) -> bool,
}

/// What a module does.
#[derive(Clone, Copy)]
pub enum Behaviour {
    /// It begins a run, and turns what arrived into its bundle.
    Start(fn(Value) -> Value),
    /// It computes bundles from a bundle.
    Pure(fn(&mut Call<'_>) -> Result<Vec<Value>, ModuleError>),
    /// The same, and each bundle is a turn of a loop.
    Loop(fn(&mut Call<'_>) -> Result<Vec<Value>, ModuleError>),
    /// It plans something outside.
    Effect(fn(&mut Call<'_>) -> Result<Plan, ModuleError>),
    /// It collects the bundles of its feeder's operation, and makes one of them.
    Aggregator(fn(&Gathered<'_>) -> Result<Value, ModuleError>),
    /// It sends a bundle along each route whose filter lets it pass.
    Router,
    /// It sends a bundle along the first branch whose condition holds.
    IfElse,
    /// Branches of an if-else come back to it.
    Merge,
    /// It repeats the modules inside until a condition holds.
    RepeatUntil,
    /// It says what becomes of a failed bundle.
    Directive(Directive),
}

/// What becomes of a failed bundle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Directive {
    /// It is dropped, the others go on.
    Ignore,
    /// Another bundle takes its place.
    Resume,
    /// The run stops here, as a success.
    Commit,
    /// The run stops here, as an error.
    Rollback,
}

/// What an aggregator is given when it closes.
pub struct Gathered<'a> {
    /// Static settings.
    pub parameters: &'a Map<String, Json>,
    /// Names of the fields in the mapper, in their order.
    pub fields: &'a [String],
    /// The mapper, evaluated for each bundle.
    pub items: &'a [Value],
}

/// What a module is given for one operation.
pub struct Call<'a> {
    /// Id of the module in the flow.
    pub module: u32,
    /// Static settings.
    pub parameters: &'a Map<String, Json>,
    /// The mapper, evaluated.
    pub input: &'a Value,
    /// Variables of the run.
    pub variables: &'a mut Collection,
}

impl Call<'_> {
    /// Returns a static setting that is a text.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.get(name).and_then(Json::as_str).filter(|text| !text.is_empty())
    }

    /// Returns a static setting that is on or off.
    pub fn is_on(&self, name: &str) -> bool {
        self.parameters.get(name).and_then(Json::as_bool).unwrap_or(false)
    }
}

/// Something outside, planned and not yet done.
#[derive(Clone)]
pub enum Plan {
    /// Nothing is to be done after all.
    Nothing(Vec<Value>),
    /// Time is to pass.
    Wait(Duration),
    /// A request is to be sent.
    Http(Box<http::HttpCall>),
}

/// Classes of errors, as the original names them in `N.error.type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are those of the original")]
pub enum Class {
    RuntimeError,
    DataError,
    BundleValidationError,
    ConnectionError,
    RateLimitError,
    ModuleTimeoutError,
    InvalidConfigurationError,
}

impl Class {
    /// Returns the name.
    pub fn as_str(self) -> &'static str {
        match self {
            Class::RuntimeError => "RuntimeError",
            Class::DataError => "DataError",
            Class::BundleValidationError => "BundleValidationError",
            Class::ConnectionError => "ConnectionError",
            Class::RateLimitError => "RateLimitError",
            Class::ModuleTimeoutError => "ModuleTimeoutError",
            Class::InvalidConfigurationError => "InvalidConfigurationError",
        }
    }

    /// Finds a class by its name.
    pub fn named(name: &str) -> Self {
        const ALL: [Class; 7] = [
            Class::RuntimeError,
            Class::DataError,
            Class::BundleValidationError,
            Class::ConnectionError,
            Class::RateLimitError,
            Class::ModuleTimeoutError,
            Class::InvalidConfigurationError,
        ];
        ALL.into_iter().find(|class| class.as_str() == name).unwrap_or(Class::RuntimeError)
    }
}

/// Why a module failed. It is data of the run, not an error of the engine.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: {message}", class.as_str())]
pub struct ModuleError {
    /// Its class.
    pub class: Class,
    /// What happened.
    pub message: String,
}

impl ModuleError {
    /// Makes an error.
    pub fn new(class: Class, message: impl Into<String>) -> Self {
        ModuleError { class, message: message.into() }
    }
}

/// What came of an effect: what the journal keeps and a replay is given again.
#[derive(Clone, Debug, PartialEq)]
pub struct Settled {
    /// Its bundles, or why there are none.
    pub result: Result<Vec<Value>, ModuleError>,
    /// HTTP status, where there is one.
    pub status_code: Option<u16>,
}

impl Settled {
    /// Writes it for the journal.
    pub fn to_stored(&self) -> Json {
        match &self.result {
            Ok(bundles) => serde_json::json!({
                "bundles": bundles.iter().map(Value::to_stored).collect::<Vec<_>>(), "status": self.status_code,
            }),
            Err(error) => serde_json::json!({
                "error": {"type": error.class.as_str(), "message": error.message}, "status": self.status_code,
            }),
        }
    }

    /// Reads what [`Settled::to_stored`] wrote; nothing if it is something else.
    pub fn from_stored(json: Json) -> Option<Self> {
        let status_code = json["status"].as_u64().and_then(|code| u16::try_from(code).ok());
        let result = if let Some(error) = json.get("error") {
            let class = Class::named(error["type"].as_str()?);
            Err(ModuleError { class, message: error["message"].as_str()?.to_owned() })
        } else {
            let bundles = json["bundles"].as_array()?;
            Ok(bundles.iter().cloned().map(Value::from_stored).collect())
        };
        Some(Settled { result, status_code })
    }
}

/// All modules that run.
pub static MODULES: &[&Module] = &[
    &loopwright::signal::SIGNAL,
    &loopwright::manual::MANUAL,
    &loopwright::repeat_until::REPEAT_UNTIL,
    &loopwright::fail::FAIL,
    &http::send_data::SEND_DATA,
    &http::make_request::MAKE_REQUEST,
    &json::parse::PARSE,
    &json::create::CREATE,
    &json::transform::TRANSFORM,
    &json::aggregate::AGGREGATE,
    &csv::create::CREATE,
    &csv::create::CREATE_ADVANCED,
    &csv::parse::PARSE,
    &util::set_variables::SET_VARIABLES,
    &util::set_variable::SET_VARIABLE,
    &util::set_variable::SET_VARIABLE_1,
    &util::get_variables::GET_VARIABLES,
    &util::get_variable::GET_VARIABLE,
    &util::get_variable::GET_VARIABLE_1,
    &util::sleep::SLEEP,
    &util::increment::INCREMENT,
    &util::compose::COMPOSE,
    &util::switch::SWITCH,
    &util::text_aggregator::TEXT_AGGREGATOR,
    &util::numeric_aggregator::NUMERIC_AGGREGATOR,
    &util::table_aggregator::TABLE_AGGREGATOR,
    &builtin::router::ROUTER,
    &builtin::if_else::IF_ELSE,
    &builtin::merge::MERGE,
    &builtin::iterator::ITERATOR,
    &builtin::repeater::REPEATER,
    &builtin::aggregator::AGGREGATOR,
    &builtin::ignore::IGNORE,
    &builtin::resume::RESUME,
    &builtin::commit::COMMIT,
    &builtin::rollback::ROLLBACK,
];

/// Finds a module by its name.
pub fn find(name: &str) -> Option<&'static Module> {
    MODULES.iter().copied().find(|module| module.name == name)
}

/// For modules without fields of JSON text.
fn nothing_is_json(_node: &ModuleNode, _field: &str) -> bool {
    false
}

#[cfg(test)]
mod tests;
