//! Tests of flows: cases that stand in a flow's file and are played offline.
//!
//! A case says what starts the run, what the outside answers, and what is
//! expected to happen. It is played by the machine that runs flows, against a
//! script instead of the world: no connection is opened, no time passes, chance
//! and clock are fixed, so the same case comes to the same end everywhere.
//!
//! What leaves the flow must be in the script. A call for which there is no
//! answer fails the case and says what to write, because an answer that nobody
//! wrote would test nothing. Modules that do not exist here can be given an
//! answer too; so an imported flow can be tested before all of it can run.
//!
//! Cases stand under `tests` in the document itself. The rest of the program
//! reads over that key.

mod compare;
mod expected;
mod play;
mod script;

use std::collections::BTreeMap;

use base::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};
use utoipa::ToSchema;

use crate::blueprint::Blueprint;
use crate::program::{Program, Structures};
use crate::run::{Operation, OperationStatus, Outcome};
use crate::semantics::Semantics;

use expected::Expected;
use script::Answers;

/// When a case begins that does not say it.
const BEGINS: Timestamp = Timestamp::from_millis(1_767_225_600_000);

/// One case, as it is written.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Case {
    /// What it is about, as a sentence.
    pub name: String,
    /// The start bundle, or a list of them; for a flow that asks for inputs,
    /// what is filled into its form.
    #[serde(default)]
    start: Json,
    /// When the run begins; the first of January 2026 in UTC if it is not said.
    #[serde(default)]
    at: Option<Timestamp>,
    /// Variables of the flow that differ from their defaults.
    #[serde(default)]
    variables: Map<String, Json>,
    /// Records of data stores when the run begins, by store and key; a store
    /// that is not named is empty.
    #[serde(default)]
    stores: BTreeMap<String, BTreeMap<String, Json>>,
    /// What the outside answers, by the id of the module that asks.
    #[serde(default)]
    answers: BTreeMap<u32, Answers>,
    /// What must be true in the end.
    #[serde(default)]
    expect: Expected,
}

/// How a case went.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = CaseVerdict)]
pub struct Verdict {
    /// Name of the case.
    pub case: String,
    /// In what it differs from what was expected; empty if it holds.
    pub differences: Vec<String>,
    /// How the run ended; nothing if it could not be played to its end.
    #[schema(required = true)]
    pub outcome: Option<Outcome>,
    /// Why it was no success.
    #[schema(required = true)]
    pub reason: Option<String>,
    /// What happened, in order.
    pub operations: Vec<Operation>,
}

impl Verdict {
    /// Tells whether everything was as expected.
    pub fn holds(&self) -> bool {
        self.differences.is_empty()
    }

    fn unplayed(case: &str, why: impl Into<String>) -> Self {
        let (differences, operations) = (vec![why.into()], Vec::new());
        Verdict { case: case.to_owned(), differences, outcome: None, reason: None, operations }
    }
}

/// What the cases of a flow came to.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = CasesReport)]
pub struct Report {
    /// Name of the flow.
    pub flow: String,
    /// The cases, in their order.
    pub verdicts: Vec<Verdict>,
    /// Ids of modules that no case came to.
    pub untouched: Vec<u32>,
}

impl Report {
    /// Tells whether every case holds.
    pub fn holds(&self) -> bool {
        self.verdicts.iter().all(Verdict::holds)
    }
}

/// Plays the cases of a flow's text, and those of `beside`, which is what a file
/// of cases alone holds. `structures` are those that the flow may name.
///
/// The error says why the flow or its cases cannot be read.
pub async fn play(
    text: &str,
    beside: Option<&str>,
    structures: &Structures,
    semantics: &Semantics,
) -> Result<Report, String> {
    let program = Program::compile_with(text, structures, semantics)?;
    let program = std::sync::Arc::new(program);
    let mut cases = cases_of(&Blueprint::tests(text)?)?;
    if let Some(beside) = beside {
        cases.extend(cases_of(&Blueprint::tests(beside)?)?);
    }
    let mut verdicts = Vec::new();
    for case in &cases {
        verdicts.push(play::play(&program, case).await);
    }
    let ran = |id: u32| {
        let all = verdicts.iter().flat_map(|verdict| &verdict.operations);
        let mut entered = all.filter(|operation| operation.status != OperationStatus::Filtered);
        entered.any(|operation| operation.module == id)
    };
    // A router and a directive are no operations.
    let tells = |step: &&crate::program::Step| step.module.is_none_or(|module| play::tells(&module.behaviour));
    let untouched = program.steps.iter().filter(tells).map(|step| step.id).filter(|id| !ran(*id)).collect();
    Ok(Report { flow: program.name.clone(), verdicts, untouched })
}

/// Reads the cases of a document; an error names the case and the place in it.
fn cases_of(tests: &Json) -> Result<Vec<Case>, String> {
    let tests = match tests {
        Json::Null => return Ok(Vec::new()),
        Json::Array(tests) => tests,
        _ => return Err("tests: a list of cases is needed".into()),
    };
    let case = |(place, test): (usize, &Json)| {
        let named = test["name"].as_str().map_or_else(|| format!("tests[{place}]"), |name| format!("case \"{name}\""));
        serde_path_to_error::deserialize(test).map_err(|error| match error.path().to_string().as_str() {
            "." => format!("{named}: {}", error.inner()),
            path => format!("{named}: {path}: {}", error.inner()),
        })
    };
    tests.iter().enumerate().map(case).collect()
}

#[cfg(test)]
mod tests;
