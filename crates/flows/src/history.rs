//! The history of runs: which are wanted, how they stand, and what each module
//! of one took.

use std::collections::BTreeMap;

use base::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use crate::run::{Operation, OperationStatus, Outcome, RunId, RunInfo, RunState};

/// How a run stands, in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
#[schema(as = RunStanding)]
pub enum Standing {
    /// It is worked on, or as soon as there is room.
    Running,
    /// It waits for a time.
    Sleeping,
    /// It is in doubt or parked: a person decides.
    Held,
    /// It ended, and nothing was wrong.
    Success,
    /// It ended, and something deserves a look.
    Warning,
    /// It failed.
    Error,
    /// A person ended it.
    Cancelled,
}

impl Standing {
    /// All of them, in the order of a run's life.
    pub const ALL: [Standing; 7] = [
        Standing::Running,
        Standing::Sleeping,
        Standing::Held,
        Standing::Success,
        Standing::Warning,
        Standing::Error,
        Standing::Cancelled,
    ];

    /// Returns the word for it.
    pub fn word(self) -> &'static str {
        match self {
            Standing::Running => "running",
            Standing::Sleeping => "sleeping",
            Standing::Held => "held",
            Standing::Success => "success",
            Standing::Warning => "warning",
            Standing::Error => "error",
            Standing::Cancelled => "cancelled",
        }
    }

    /// Finds what a word stands for.
    pub fn named(word: &str) -> Option<Self> {
        Standing::ALL.into_iter().find(|standing| standing.word() == word)
    }
}

impl RunInfo {
    /// Tells how the run stands at a time.
    pub fn standing(&self, now: Timestamp) -> Standing {
        match (self.state, self.outcome) {
            (RunState::InDoubt | RunState::Parked, _) => Standing::Held,
            (RunState::Live, _) if self.wakes_at.is_some_and(|at| at > now) => Standing::Sleeping,
            (RunState::Live, _) => Standing::Running,
            (RunState::Ended, Some(Outcome::Success)) => Standing::Success,
            (RunState::Ended, Some(Outcome::Warning)) => Standing::Warning,
            (RunState::Ended, Some(Outcome::Cancelled)) => Standing::Cancelled,
            (RunState::Ended, Some(Outcome::Error) | None) => Standing::Error,
        }
    }
}

/// Which runs are wanted; one that says nothing wants all.
#[derive(Clone, Debug, Default)]
pub struct RunFilter {
    /// Only of this flow.
    pub flow: Option<String>,
    /// Only those that stand in one of these ways; empty for all.
    pub standings: Vec<Standing>,
    /// Only those that were started so: `signal`, `schedule`, `manual` …
    pub started_by: Option<String>,
    /// Only those that started then or later.
    pub from: Option<Timestamp>,
    /// Only those that started before.
    pub to: Option<Timestamp>,
    /// Only those in whose id, reason, input or recorded results this text
    /// stands, in whatever case. Bundles of confidential flows are not looked at.
    pub text: Option<String>,
}

/// Some runs, newest first.
#[derive(Clone, Debug, PartialEq)]
pub struct RunPage {
    /// The runs.
    pub runs: Vec<RunInfo>,
    /// There may be more before this one. A search for text looks at a bounded
    /// number of runs at a time, so this can come with few runs, or none.
    pub next: Option<RunId>,
}

/// How many runs each choice of a filter would find. Each choice is counted
/// as if only it and the other parts of the filter were said, so that it can be
/// told what choosing it comes to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunFacets {
    /// By the key of their flow.
    pub flow: BTreeMap<String, u64>,
    /// By how they stand.
    pub status: BTreeMap<&'static str, u64>,
    /// By what started them.
    pub started_by: BTreeMap<String, u64>,
}

/// Runs of the window of a filter that are alike, and how many they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Alike {
    pub flow: String,
    pub started_by: String,
    pub standing: Standing,
    pub count: u64,
}

impl RunFacets {
    /// Adds up what is in the window of a filter.
    pub(crate) fn count(alike: Vec<Alike>, filter: &RunFilter) -> Self {
        let mut facets = RunFacets::default();
        for Alike { flow, started_by, standing, count } in alike {
            let is_flow = filter.flow.as_ref().is_none_or(|wanted| *wanted == flow);
            let is_start = filter.started_by.as_ref().is_none_or(|wanted| *wanted == started_by);
            let is_standing = filter.standings.is_empty() || filter.standings.contains(&standing);
            if is_flow && is_start {
                *facets.status.entry(standing.word()).or_default() += count;
            }
            if is_start && is_standing {
                *facets.flow.entry(flow).or_default() += count;
            }
            if is_flow && is_standing {
                *facets.started_by.entry(started_by).or_default() += count;
            }
        }
        facets
    }
}

/// What a module did in a run, all its operations together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ModuleTotal {
    /// Id of the module in the flow.
    pub module: u32,
    /// Its kind.
    pub kind: String,
    /// How often it did something.
    pub operations: u64,
    /// How many bundles it gave.
    pub bundles: u64,
    /// How many bundles its filter kept out.
    pub filtered: u64,
    /// Operations that were answered with a bad status.
    pub warnings: u64,
    /// Operations that failed.
    pub errors: u64,
    /// Milliseconds of all its operations.
    pub duration_ms: u64,
}

/// Adds the operations of a run up by module, in the order in which the
/// modules first ran.
pub fn totals(operations: &[Operation]) -> Vec<ModuleTotal> {
    let mut totals: Vec<ModuleTotal> = Vec::new();
    for operation in operations {
        let place = totals.iter().position(|total| total.module == operation.module).unwrap_or_else(|| {
            totals.push(ModuleTotal {
                module: operation.module,
                kind: operation.kind.clone(),
                operations: 0,
                bundles: 0,
                filtered: 0,
                warnings: 0,
                errors: 0,
                duration_ms: 0,
            });
            totals.len() - 1
        });
        let total = &mut totals[place];
        match operation.status {
            OperationStatus::Filtered => {
                total.filtered += 1;
                continue;
            }
            OperationStatus::Success => {}
            OperationStatus::Warning => total.warnings += 1,
            OperationStatus::Error => total.errors += 1,
        }
        total.operations += 1;
        total.bundles += operation.output.len() as u64;
        total.duration_ms += operation.ended_at.since(operation.started_at).as_millis() as u64;
    }
    totals
}
