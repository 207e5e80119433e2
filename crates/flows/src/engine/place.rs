//! A place in a run that can be left and found again: what an incomplete
//! execution keeps.

use std::time::Duration;

use serde_json::{Map, Value as Json, json};

use super::scope::Scope;
use crate::modules::http::Cookie;
use crate::modules::{self, ModuleError};
use crate::program::Program;
use crate::run::RunId;
use crate::value::Value;

/// A failed bundle that was set aside, so that it can go on later from the
/// module that failed.
#[derive(Clone, Debug, PartialEq)]
pub struct Incomplete {
    /// Why.
    pub error: ModuleError,
    /// Whether it is tried again by itself.
    pub retry: Retry,
    /// From where it goes on.
    pub place: Place,
}

/// How an incomplete execution is tried again by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// Not at all: a person does it.
    Never,
    /// So many times, with the same time in between.
    Every {
        /// Time in between.
        interval: Duration,
        /// How many times.
        count: u32,
    },
    /// After the times that the engine is set to, the first of them no sooner
    /// than the other side asked for.
    BackOff {
        /// What the other side asked for.
        at_least: Option<Duration>,
    },
}

/// Where in a flow a bundle stands, with everything that can be seen there.
#[derive(Clone, Debug, PartialEq)]
pub struct Place {
    /// Id of the module that comes next.
    pub module: u32,
    /// Which bundles led there.
    pub path: String,
    /// Bundles by the module that gave them, the oldest first.
    pub bundles: Vec<(u32, Value)>,
    /// The bundle that began the run.
    pub start: Value,
    /// Variables of the run.
    pub variables: Value,
    /// Cookies that its requests share.
    pub cookies: Vec<Cookie>,
    /// The run whose operation keys the module's first operation has, where it
    /// is unknown what came of the last attempt: its receiver can tell that it
    /// is the same one.
    pub origin: Option<RunId>,
}

impl Place {
    /// Writes it down.
    pub fn to_stored(&self) -> Json {
        let bundles: Vec<Json> = self.bundles.iter().map(|(id, bundle)| json!([id, bundle.to_stored()])).collect();
        json!({
            "module": self.module,
            "path": self.path,
            "bundles": bundles,
            "start": self.start.to_stored(),
            "variables": self.variables.to_stored(),
            "cookies": self.cookies.iter().map(Cookie::to_stored).collect::<Vec<_>>(),
            "origin": self.origin,
        })
    }

    /// Reads what [`Place::to_stored`] wrote; nothing if it is something else.
    pub fn from_stored(json: &Json) -> Option<Self> {
        let mut bundles = Vec::new();
        for entry in json["bundles"].as_array()? {
            let id = u32::try_from(entry[0].as_u64()?).ok()?;
            bundles.push((id, Value::from_stored(entry[1].clone())));
        }
        Some(Place {
            module: u32::try_from(json["module"].as_u64()?).ok()?,
            path: json["path"].as_str()?.to_owned(),
            bundles,
            start: Value::from_stored(json["start"].clone()),
            variables: Value::from_stored(json["variables"].clone()),
            cookies: json["cookies"].as_array().into_iter().flatten().filter_map(Cookie::from_stored).collect(),
            origin: json["origin"].as_str().and_then(|id| id.parse().ok()),
        })
    }

    /// Returns the bundles by module as a person may read them in the history
    /// of `program`: none of a confidential one.
    pub fn told(&self, program: &Program) -> Map<String, Json> {
        let is_http = |id: u32| {
            let step = program.steps.iter().find(|step| step.id == id);
            step.is_some_and(|step| modules::http::NAMES.contains(&step.module_name.as_str()))
        };
        let mut told: Map<String, Json> = Map::new();
        for (id, bundle) in self.bundles.iter().filter(|(id, _)| *id != Scope::CYCLE && !program.is_confidential) {
            let json = if is_http(*id) { modules::http::redacted_output(bundle).to_json() } else { bundle.to_json() };
            told.insert(id.to_string(), json);
        }
        told
    }
}
