//! A document compiled to a flat, immutable list of steps.
//!
//! Compiling finds everything that can be known without running: modules that
//! do not exist, aggregators without a feeder, names that stand for nothing.
//! What would keep the flow from running is an error and stops its publication;
//! a mapping that cannot be read is a warning here and an error of its module
//! at run time, so that imported flows can be looked at and tried.
//!
//! A program is named by the hash of its text. A run keeps the program with
//! which it began.

mod compile;
mod mapper;

use base::schedule::Schedule;
use serde_json::{Map, Value as Json};
use sha2::{Digest, Sha256};

use crate::blueprint::Blueprint;
use crate::filter::Filter;
use crate::flow::{Notice, Severity};
use crate::mapping::Template;
use crate::modules::{Behaviour, Module};

use compile::{Compiler, Place};
pub use mapper::Mapper;

/// Place of a step in its program.
pub type StepIndex = usize;

/// How often an effect is tried again by default in flows of our own.
const RETRIES: u32 = 4;

/// Where a bundle goes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Into a step.
    Step(StepIndex),
    /// Nowhere: its path ends.
    End,
    /// It has come through the body of this repeat-until.
    BodyEnd(StepIndex),
    /// It has come through a branch of this if-else, and comes back at the
    /// merge behind it.
    Merge {
        /// The if-else.
        from: StepIndex,
        /// Which of the branches that come back.
        place: usize,
    },
}

/// A way out of an if-else.
pub struct Branch {
    /// What people call it.
    pub label: Option<String>,
    /// When it is taken; nothing for the one that takes all others.
    pub condition: Option<Filter>,
    /// Its first step.
    pub entrance: Next,
}

/// An item of what a merge gives.
pub struct MergeOutput {
    /// Its name.
    pub name: String,
    /// What it is, for each branch that comes back.
    pub mappings: Vec<Mapper>,
}

/// A module in its place, ready to run.
pub struct Step {
    /// Id in the document.
    pub id: u32,
    /// Name that a person gave it.
    pub label: Option<String>,
    /// What it is; nothing for a module that does not exist here.
    pub module: Option<&'static Module>,
    /// Name of the module as written.
    pub module_name: String,
    /// Static settings.
    pub parameters: Map<String, Json>,
    /// Fields with mappings.
    pub mapper: Mapper,
    /// Condition at the entrance.
    pub filter: Option<Filter>,
    /// Where its bundles go.
    pub next: Next,
    /// First step of its error route.
    pub on_error: Option<Next>,
    /// First steps of the routes of a router.
    pub routes: Vec<Next>,
    /// Which of them is taken when no other was.
    pub fallback: Option<usize>,
    /// Ways out of an if-else, in the order in which they are tried.
    pub branches: Vec<Branch>,
    /// What a merge gives.
    pub outputs: Vec<MergeOutput>,
    /// Conditions at the entrance of a merge, for each branch that comes back.
    pub merge_filters: Vec<Option<Filter>>,
    /// First step of the body of a repeat-until.
    pub body: Next,
    /// Condition that ends a repeat-until.
    pub until: Option<Filter>,
    /// Aggregators that close when an operation of this step is through.
    pub feeds: Vec<StepIndex>,
    /// What an aggregator groups by.
    pub group_by: Option<Template>,
    /// An aggregator without bundles ends its path.
    pub stop_if_empty: bool,
    /// A filter looks at its status, so that a bad one is not left unseen.
    pub is_watched: bool,
    /// Its mappings use the key of the operation, so a receiver can tell a
    /// repetition.
    pub sends_key: bool,
}

/// What begins a run of a flow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Start {
    /// A person, or a schedule.
    Nothing,
    /// A trigger of a knowledge model.
    Signal {
        /// `package.key`.
        knowledge_model: String,
        /// Its trigger.
        trigger: String,
        /// Signals per run.
        results_max: u32,
    },
}

/// A compiled flow.
pub struct Program {
    /// SHA-256 of the text, in hexadecimal.
    pub hash: String,
    /// What people call the flow.
    pub name: String,
    /// All steps; references between them are places in this list.
    pub steps: Vec<Step>,
    /// The first step.
    pub first: Next,
    /// What begins a run.
    pub start: Start,
    /// When the flow starts by itself.
    pub schedule: Option<Schedule>,
    /// One run at a time.
    pub is_sequential: bool,
    /// Bundles are not kept in the history.
    pub is_confidential: bool,
    /// Defaults of the flow's variables.
    pub variables: Map<String, Json>,
    /// How often an unanswered effect that is safe to repeat is tried again.
    pub retries: u32,
    /// What is noteworthy.
    pub notices: Vec<Notice>,
}

/// Returns the name of the program with this text.
pub fn hash_of(text: &str) -> String {
    hex::encode(Sha256::digest(text.as_bytes()))
}

impl Program {
    /// Reads and compiles a text. The error says why it cannot be read at all.
    pub fn compile(text: &str) -> Result<Self, String> {
        let document = Blueprint::read(text)?;
        let own = &document.metadata.loopwright;
        let mut compiler =
            Compiler { steps: Vec::new(), notices: Vec::new(), escape_json: own.escape_json.unwrap_or(true), depth: 0 };
        let mut before = Vec::new();
        let first = compiler.sequence(&document.flow, Next::End, &mut before, Place::First);
        compiler.finish();
        let start = compiler.start(first);
        let schedule = document.scheduling.as_ref().filter(|scheduling| !scheduling.is_null());
        let schedule = schedule.and_then(|scheduling| match serde_json::from_value::<Schedule>(scheduling.clone()) {
            Ok(schedule) => Some(schedule),
            Err(problem) => {
                compiler.error(None, Some("scheduling"), problem.to_string());
                None
            }
        });
        Ok(Program {
            hash: hash_of(text),
            name: document.name,
            steps: compiler.steps,
            first,
            start,
            schedule,
            is_sequential: document.metadata.scenario.sequential,
            is_confidential: document.metadata.scenario.confidential,
            variables: document.variables,
            retries: document.metadata.loopwright.retries.unwrap_or(RETRIES),
            notices: compiler.notices,
        })
    }

    /// Returns what keeps the flow from running.
    pub fn errors(&self) -> impl Iterator<Item = &Notice> {
        self.notices.iter().filter(|notice| notice.severity == Severity::Error)
    }

    /// Returns the step that takes what begins a run, if the flow has one.
    pub fn start_step(&self) -> Option<StepIndex> {
        let Next::Step(first) = self.first else { return None };
        let module = self.steps[first].module?;
        matches!(module.behaviour, Behaviour::Start(_)).then_some(first)
    }
}

#[cfg(test)]
mod tests;
