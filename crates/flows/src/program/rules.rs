//! How a flow runs as a whole: `metadata.scenario`, and what of it is our own.

use crate::blueprint::{Blueprint, Manners};
use crate::semantics::Semantics;

/// Settings of a flow that hold for each of its runs.
#[derive(Clone, Debug, PartialEq)]
pub struct Rules {
    /// Cycles of a run that nothing starts with data.
    pub cycles: u64,
    /// Failed runs in a row after which the flow is switched off.
    pub errors_max: u32,
    /// The same where data starts runs at once; nothing means as the engine
    /// is set to for flows of others.
    pub instant_errors_max: Option<u32>,
    /// Failed bundles can be stored as incomplete executions.
    pub stores_incomplete: bool,
    /// Where there is no room to store one, it is dropped and the run goes on.
    pub drops_data: bool,
    /// What a run began with goes back to its hook when the run fails.
    pub returns_items: bool,
    /// What modules do in data stores counts at once; else when the cycle is
    /// committed.
    pub commits_at_once: bool,
    /// How the open points of the language are read.
    pub semantics: Semantics,
}

impl Rules {
    /// Reads the rules of a document; the error is about its semantics.
    pub(super) fn of(document: &Blueprint, defaults: &Semantics) -> (Self, Option<String>) {
        let scenario = &document.metadata.scenario;
        let own = &document.metadata.loopwright;
        let is_ours = own.manners == Manners::Ours;
        let (semantics, problem) = match defaults.overlaid(&own.semantics) {
            Ok(semantics) => (semantics, None),
            Err(problem) => (defaults.clone(), Some(problem)),
        };
        // Without commits after each operation everything waits for the end
        // of the cycle, the trigger too.
        let trigger_last = scenario.auto_commit_trigger_last.unwrap_or(!is_ours) || scenario.auto_commit == Some(false);
        let errors_max = scenario.max_errors.unwrap_or(3).max(1);
        let rules = Rules {
            cycles: scenario.roundtrips.unwrap_or(1).max(1),
            errors_max,
            instant_errors_max: own.instant_errors_max.or(is_ours.then_some(errors_max)).map(|errors| errors.max(1)),
            stores_incomplete: scenario.dlq.unwrap_or(false),
            drops_data: scenario.dataloss.unwrap_or(false),
            returns_items: own.returns_items.unwrap_or(trigger_last),
            commits_at_once: scenario.auto_commit.unwrap_or(true),
            semantics,
        };
        (rules, problem)
    }
}
