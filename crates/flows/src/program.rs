//! A document compiled to a flat, immutable list of steps.
//!
//! Compiling finds everything that can be known without running: modules that
//! do not exist, aggregators without a feeder, names that stand for nothing.
//! What would keep the flow from running is an error and stops its publication;
//! a mapping that cannot be read is a warning here and an error of its module
//! at run time, so that imported flows can be looked at and tried.
//!
//! A program is named by the hash of its text, and of the data structures that
//! the text names. A run keeps the program with
//! which it began.

mod compile;
mod mapper;
mod rules;

use std::collections::BTreeMap;

use base::schedule::Schedule;
use jiff::tz::TimeZone;
use serde_json::{Map, Value as Json};
use sha2::{Digest, Sha256};

use crate::blueprint::Blueprint;
use crate::brought::Hooks;
use crate::databricks::Wanted;
use crate::filter::Filter;
use crate::flow::{Notice, Severity};
use crate::form::Form;
use crate::mapping::Template;
use crate::modules::{Behaviour, Module};
use crate::semantics::Semantics;
use crate::structure::Structure;

use compile::{Compiler, Place};
pub use mapper::{Failure, Mapper};
pub use rules::Rules;

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
    /// Which one in the document; the first is 0.
    pub place: usize,
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
    /// The step in whose error route it stands, the innermost one.
    pub handles: Option<StepIndex>,
}

/// Structures by what flows call them: names, and the ids that they had
/// elsewhere.
pub type Structures = BTreeMap<String, Structure>;

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
    /// The end of a run in a Databricks workspace.
    RunEnded {
        /// Which ends.
        wanted: Wanted,
        /// Ends per run.
        results_max: u32,
    },
    /// Requests to a hook.
    Webhook {
        /// Name of the hook; nothing for the flow's own.
        hook: Option<String>,
        /// Requests per run.
        results_max: u32,
    },
}

impl Start {
    /// Returns what the runs that it begins are said to be started by.
    pub fn word(&self) -> &'static str {
        match self {
            Start::Nothing => "manual",
            Start::Signal { .. } => "signal",
            Start::RunEnded { .. } => "databricks",
            Start::Webhook { .. } => "webhook",
        }
    }

    /// Returns how many items of its hook a run takes at most; nothing for a
    /// flow without a hook.
    pub fn results_max(&self) -> Option<u32> {
        match self {
            Start::Nothing => None,
            Start::Signal { results_max, .. }
            | Start::RunEnded { results_max, .. }
            | Start::Webhook { results_max, .. } => Some(*results_max),
        }
    }
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
    /// What a person fills in to start it.
    pub form: Form,
    /// Defaults of the flow's variables.
    pub variables: Map<String, Json>,
    /// How often an unanswered effect that is safe to repeat is tried again.
    pub retries: u32,
    /// Structures that the text names, as they are in this version.
    pub structures: Structures,
    /// Webhooks that the text names by number, as they are in this version.
    pub hooks: Hooks,
    /// For dates that do not name one.
    pub zone: TimeZone,
    /// How it runs as a whole.
    pub rules: Rules,
    /// What is noteworthy.
    pub notices: Vec<Notice>,
}

/// Returns the name of the program with this text.
pub fn hash_of(text: &str) -> String {
    hex::encode(Sha256::digest(text.as_bytes()))
}

/// Returns the name of the program with this text and these structures.
fn version_of(text: &str, structures: &Structures) -> String {
    if structures.is_empty() {
        return hash_of(text);
    }
    let mut hash = Sha256::new();
    hash.update(text.as_bytes());
    for (name, structure) in structures {
        hash.update([0]);
        hash.update(name.as_bytes());
        hash.update(structure.to_json().to_string().as_bytes());
    }
    hex::encode(hash.finalize())
}

impl Program {
    /// Reads and compiles a text with the usual semantics, that needs no
    /// structures besides those that can be rebuilt from it. The error says why
    /// it cannot be read at all.
    pub fn compile(text: &str) -> Result<Self, String> {
        Program::compile_with(text, &Structures::new(), &Semantics::default())
    }

    /// Reads and compiles a text, with the structures that it may name;
    /// `semantics` hold where it says nothing.
    pub fn compile_with(text: &str, structures: &Structures, semantics: &Semantics) -> Result<Self, String> {
        let document = Blueprint::read(text)?;
        let (rules, problem) = Rules::of(&document, semantics);
        let own = &document.metadata.loopwright;
        let mut compiler = Compiler {
            steps: Vec::new(),
            notices: Vec::new(),
            escape_json: own.escape_json.unwrap_or(true),
            depth: 0,
            structures,
            used: Structures::new(),
        };
        let mut before = Vec::new();
        let first = compiler.sequence(&document.flow, Next::End, &mut before, Place::First);
        compiler.finish();
        compiler.check_scenario(&document.metadata.scenario);
        if let Some(problem) = problem {
            compiler.error(None, Some("metadata.loopwright.semantics"), problem);
        }
        let usual = &rules.semantics;
        let per_request = own.max_results.unwrap_or(usual.requests_per_run);
        let start = compiler.start(first, usual.results_per_run, per_request);
        let zone = compiler.zone(own.zone.as_deref());
        let schedule = document.scheduling.as_ref().filter(|scheduling| !scheduling.is_null());
        let schedule = schedule.and_then(|scheduling| match serde_json::from_value::<Schedule>(scheduling.clone()) {
            Ok(schedule) => Some(schedule),
            Err(problem) => {
                compiler.error(None, Some("scheduling"), problem.to_string());
                None
            }
        });
        let form = Form::read(document.inputs()).unwrap_or_else(|problem| {
            compiler.error(None, Some("interface.input"), problem);
            Form::default()
        });
        Ok(Program {
            hash: version_of(text, &compiler.used),
            structures: compiler.used,
            hooks: Hooks::new(),
            name: document.name,
            steps: compiler.steps,
            first,
            start,
            schedule,
            is_sequential: document.metadata.scenario.sequential,
            is_confidential: document.metadata.scenario.confidential,
            form,
            variables: document.variables,
            retries: document.metadata.loopwright.retries.unwrap_or(RETRIES),
            zone,
            rules,
            notices: compiler.notices,
        })
    }

    /// Returns what keeps the flow from running.
    pub fn errors(&self) -> impl Iterator<Item = &Notice> {
        self.notices.iter().filter(|notice| notice.severity == Severity::Error)
    }

    /// Returns the steps of modules that are not known here, at which a run
    /// fails.
    pub fn unknown(&self) -> impl Iterator<Item = &Step> {
        self.steps.iter().filter(|step| step.module.is_none())
    }

    /// Names the modules that are not known here, one notice each.
    pub fn unknown_notices(&self) -> Vec<Notice> {
        let is_it =
            |notice: &&Notice| notice.field.is_none() && self.unknown().any(|step| notice.module == Some(step.id));
        self.notices.iter().filter(is_it).cloned().collect()
    }

    /// Tells whether an item on its hook starts a run at once. Otherwise items
    /// wait until the schedule is due; a run by hand leaves them where they are.
    pub fn takes_at_once(&self) -> bool {
        match self.start {
            Start::Nothing => false,
            Start::Signal { .. } | Start::RunEnded { .. } => true,
            Start::Webhook { .. } => self.schedule.as_ref().is_none_or(Schedule::is_immediate),
        }
    }

    /// Tells whether it answers the requests that start it.
    pub fn responds(&self) -> bool {
        let is_response = |module: &&Module| matches!(module.behaviour, Behaviour::Respond(_));
        matches!(self.start, Start::Webhook { .. })
            && self.steps.iter().filter_map(|step| step.module.as_ref()).any(is_response)
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
