//! What a case expects, and in what a run differs from it.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::Error as _;
use serde_json::{Value as Json, json};

use super::compare::{compare, fits, short};
use super::play::Played;
use crate::run::{Operation, OperationStatus, Outcome};

/// What must be true in the end. Of what is not written nothing is expected,
/// but that the run is a success.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Expected {
    /// How the run ends: `success`, `warning` or `error`.
    #[serde(default, deserialize_with = "outcome")]
    outcome: Option<Outcome>,
    /// Why, with stars for any letters.
    reason: Option<String>,
    /// What is true of modules, by their ids.
    #[serde(default)]
    modules: BTreeMap<u32, OfModule>,
    /// What the run gives back to a flow that called it.
    returns: Option<Json>,
    /// What the caller of its webhook hears: `status`, `body`, `headers`.
    response: Option<Json>,
    /// How long the run waits in all.
    waited_seconds: Option<f64>,
    /// Records of data stores in the end, by store and key; `null` for one that
    /// is not there.
    stores: Option<Json>,
    /// How many failed bundles are stored as incomplete executions.
    incomplete: Option<usize>,
}

/// What is expected of a module.
#[derive(Clone, Debug)]
enum OfModule {
    /// How many bundles it processes; `never` is none.
    Runs(usize),
    /// More than that.
    Facts(Box<Facts>),
}

impl<'de> Deserialize<'de> for OfModule {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Json::deserialize(deserializer)? {
            Json::String(word) if word == "never" => Ok(OfModule::Runs(0)),
            Json::Number(runs) => {
                let runs = runs.as_u64().and_then(|runs| usize::try_from(runs).ok());
                runs.map(OfModule::Runs).ok_or_else(|| D::Error::custom("a number of runs is whole and not negative"))
            }
            facts @ Json::Object(_) => serde_json::from_value(facts).map(OfModule::Facts).map_err(D::Error::custom),
            other => {
                Err(D::Error::custom(format!("{other} is none of never, a number of runs, and what is expected of it")))
            }
        }
    }
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Facts {
    /// How many bundles it processes; those that its filter stops are none.
    runs: Option<usize>,
    /// What it is given, the last time.
    input: Option<Json>,
    /// The last bundle that it gives.
    output: Option<Json>,
    /// All bundles that it gives.
    outputs: Option<Json>,
    /// What it sends, the last time: `method`, `url`, `headers`, `body`,
    /// `connection`.
    request: Option<Json>,
    /// All that it sends.
    requests: Option<Json>,
    /// What its error says, the last time, with stars for any letters.
    error: Option<String>,
}

fn outcome<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Outcome>, D::Error> {
    let word = String::deserialize(deserializer)?;
    let unknown = || D::Error::custom(format!("\"{word}\" is none of success, warning, error"));
    Outcome::named(&word).map(Some).ok_or_else(unknown)
}

impl Expected {
    /// Says in what a run differs.
    pub(super) fn differences(&self, played: &Played) -> Vec<String> {
        let mut differences = Vec::new();
        let ending = &played.ending;
        let expected = self.outcome.unwrap_or(Outcome::Success);
        if ending.outcome != expected {
            let reason = ending.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
            let (expected, actual) = (expected.word(), ending.outcome.word());
            differences.push(format!("outcome: expected {expected}, but it is {actual}{reason}"));
        }
        let reason = ending.reason.as_deref().unwrap_or_default();
        if let Some(expected) = self.reason.as_ref().filter(|expected| !fits(expected, reason)) {
            differences.push(format!("reason: expected \"{expected}\", but it is \"{reason}\""));
        }
        for (id, of_module) in &self.modules {
            of_module.differences(*id, played, &mut differences);
        }
        if let Some(expected) = &self.returns {
            let outputs = ending.outputs.as_ref().map_or(Json::Null, crate::value::Value::to_json);
            compare("returns", expected, &outputs, &mut differences);
        }
        if let Some(expected) = &self.response {
            let first = played.responses.first().cloned().unwrap_or_default();
            compare("response", expected, &first, &mut differences);
        }
        if let Some(expected) = &self.stores {
            compare("stores", expected, &played.stores, &mut differences);
        }
        let waited = played.waited.as_secs_f64();
        if let Some(expected) = self.waited_seconds.filter(|expected| (expected - waited).abs() > 0.001) {
            differences.push(format!("waitedSeconds: expected {expected}, but it is {waited}"));
        }
        if let Some(expected) = self.incomplete.filter(|expected| *expected != played.incomplete.len()) {
            let why: Vec<_> = played.incomplete.iter().map(|error| format!(" ({error})")).collect();
            let actual = played.incomplete.len();
            differences.push(format!("incomplete: expected {expected}, but it is {actual}{}", why.concat()));
        }
        differences
    }

    /// Returns ids of modules of which something is expected.
    pub(super) fn modules(&self) -> impl Iterator<Item = u32> {
        self.modules.keys().copied()
    }
}

impl OfModule {
    fn differences(&self, id: u32, played: &Played, differences: &mut Vec<String>) {
        let ran = |operation: &&Operation| operation.module == id && operation.status != OperationStatus::Filtered;
        let operations: Vec<&Operation> = played.operations.iter().filter(ran).collect();
        let mut count = |expected: usize| {
            if operations.len() != expected {
                let (expected, actual) = (times(expected), times(operations.len()));
                differences.push(format!("module {id}: it ran {actual} instead of {expected}"));
            }
        };
        let facts = match self {
            OfModule::Runs(expected) => return count(*expected),
            OfModule::Facts(facts) => facts,
        };
        if let Some(expected) = facts.runs {
            count(expected);
        }
        let last = operations.last();
        if let Some(expected) = &facts.input {
            let input = last.map_or(Json::Null, |operation| operation.input.clone());
            compare(&format!("module {id} input"), expected, &input, differences);
        }
        let mut outputs: Vec<Json> = operations.iter().flat_map(|operation| operation.output.clone()).collect();
        if let Some(expected) = &facts.outputs {
            compare(&format!("module {id} outputs"), expected, &json!(outputs), differences);
        }
        if let Some(expected) = &facts.output {
            compare(&format!("module {id} output"), expected, &outputs.pop().unwrap_or_default(), differences);
        }
        let sent = played.requests.get(&id).cloned().unwrap_or_default();
        if let Some(expected) = &facts.request {
            let request = sent.last().cloned().unwrap_or_default();
            compare(&format!("module {id} request"), expected, &request, differences);
        }
        if let Some(expected) = &facts.requests {
            compare(&format!("module {id} requests"), expected, &json!(sent), differences);
        }
        if let Some(expected) = &facts.error {
            let failed = operations.iter().rfind(|operation| operation.status == OperationStatus::Error);
            let detail = failed.and_then(|operation| operation.detail.clone()).unwrap_or_default();
            if !fits(expected, &detail) {
                let detail = short(&detail.into());
                differences.push(format!("module {id} error: expected \"{expected}\", but it is {detail}"));
            }
        }
    }
}

fn times(count: usize) -> String {
    match count {
        0 => "never".into(),
        1 => "once".into(),
        _ => format!("{count} times"),
    }
}
