//! Action flows: drawn automations that survive a crash between any two steps.
//!
//! A *flow* is a graph of modules in the semantics that users of Action Flows
//! and Make know. Its text, a blueprint in JSON or the same structure in YAML,
//! belongs to the user and is stored as it came; everything else here is
//! derived from it.
//!
//! The story in reading order:
//!
//! * [`value`]: what travels in bundles;
//! * [`mapping`]: the `{{…}}` language, parsed once, evaluated often;
//! * [`filter`]: conditions at the entrance of a step;
//! * [`semantics`]: what the original leaves open, as settings;
//! * [`blueprint`]: the stored document;
//! * [`form`]: what a person fills in to start it;
//! * [`program`]: the document compiled to a flat, immutable list of steps;
//! * [`modules`]: the kinds of steps, *pure* ones and *effects*; [`coverage`]:
//!   which of the original there are;
//! * [`engine`]: the machine that walks through a program, one bundle at a
//!   time, and stops at every effect;
//! * [`connection`]: sealed credentials, named by flows and never inside them;
//! * [`databricks`]: conversations with workspaces, decided without a network;
//! * [`brought`]: numbers of blueprints, and which of ours they stand for;
//! * [`literal`]: secrets that stand in a text, and the way out; [`lint`]:
//!   what else can be said of a text without running it; [`difference`]: what
//!   two texts differ in; [`package`]: what is published together;
//!   [`template`]: what a person starts from;
//! * [`structure`]: which fields data has, of which types;
//! * [`store`]: records by key that outlive runs;
//! * [`hook`]: queues of data that start runs, and `callers`, who wait for
//!   what a run answers;
//! * [`task`]: questions of flows to people; [`page`]: what they tell them;
//! * [`feedback`]: flows that start themselves, and are paused;
//! * [`incomplete`]: failed bundles that wait to go on; [`limits`]: how much
//!   flows and runs may take;
//! * [`run`]: what a run looks like from outside; [`history`]: finding runs;
//!   [`outcomes`]: which runs began with which signal;
//! * [`cases`]: tests that stand in a flow's file, played offline;
//! * `alone`: one module tried without the others;
//! * [`flows`]: the verbs, and `work`, the loop that performs effects.
//!
//! What cannot happen here: an effect whose result is committed is never
//! performed again. The machine is a pure function of the flow's text, the
//! start bundles, and the recorded results of its effects; after a crash it is
//! replayed from them up to the one effect that was in flight. That one is
//! repeated with the same key if it is safe to repeat, else its run stops *in
//! doubt* and says so. A sleeping run is a row and not a thread.
//!
//! This crate reaches the world by HTTP only, ours included: it knows nothing
//! of pools, knowledge models or jobs.

pub mod error;
pub mod value;
mod pattern;
pub mod mapping;
pub mod filter;
pub mod semantics;
pub mod blueprint;
pub mod form;
pub mod program;
pub mod modules;
pub mod coverage;
pub mod engine;
pub mod connection;
pub mod databricks;
pub mod brought;
pub mod literal;
pub mod lint;
pub mod difference;
pub mod package;
pub mod template;
pub mod structure;
pub mod page;
pub mod store;
pub mod hook;
mod callers;
pub mod feedback;
pub mod incomplete;
pub mod limits;
pub mod run;
pub mod task;
pub mod history;
pub mod outcomes;
pub mod cases;
pub mod flow;
mod alone;
mod tables;
pub mod flows;
mod work;
#[cfg(test)]
mod simulation;

pub use alone::Trial;
pub use connection::built_in::FlowCaller;
pub use connection::standing::ConnectionUse;
pub use connection::trial::Tested;
pub use connection::{
    ConnectionInfo, ConnectionSpec, Credentials, Grant, KINDS as CONNECTION_KINDS, Slack, Smtp, security_named,
};
pub use databricks::pace::Pacing;
pub use databricks::{CallInfo, JobChoice};
pub use error::Error;
pub use feedback::{FlowNotice, NoticeKind, Notices};
pub use flow::{FlowDetails, FlowInfo, FlowState, FlowVersion, Notice, Severity};
pub use flows::{
    Again, Answerer, Decision, Document, Flows, ImportOptions, ImportedFlow, MovedSecret, MovedSecrets, Options,
    Reading, Sample, Seen, SharedScope, Signals, SignalsError, StartingAt, Which,
};
pub use history::{ModuleTotal, RunFacets, RunFilter, RunPage, Standing};
pub use hook::{Accepted, Answer, Arrival, Brought, Expected, HookSettings, read_mail};
pub use incomplete::{IncompleteDetails, IncompleteId, IncompleteInfo, IncompleteState, RetryVersion};
pub use limits::Limits;
pub use outcomes::{ActedOn, Acts, Listening};
pub use page::{Page, PageInfo};
pub use run::{Choice, Counts, InFlight, Operation, OperationStatus, Outcome, RunDetails, RunId, RunInfo, RunState};
pub use semantics::Semantics;
pub use store::{Record, StoreInfo, StoreLimits, StoreSettings};
pub use structure::{Mismatch, Structure, StructureInfo};
pub use task::{TaskDecision, TaskDetails, TaskField, TaskId, TaskInfo, TaskState};

use base::db::Migration;

/// The tables of this crate, in the file `flows`.
pub const MIGRATIONS: &[Migration] = &[
    Migration { name: "flows/0001_flows", sql: include_str!("../migrations/0001_flows.sql") },
    Migration { name: "flows/0002_causes", sql: include_str!("../migrations/0002_causes.sql") },
    Migration { name: "flows/0003_journal", sql: include_str!("../migrations/0003_journal.sql") },
    Migration { name: "flows/0004_incomplete", sql: include_str!("../migrations/0004_incomplete.sql") },
    Migration { name: "flows/0005_webhooks", sql: include_str!("../migrations/0005_webhooks.sql") },
    Migration { name: "flows/0006_structures", sql: include_str!("../migrations/0006_structures.sql") },
    Migration { name: "flows/0007_history", sql: include_str!("../migrations/0007_history.sql") },
    Migration { name: "flows/0008_semantics", sql: include_str!("../migrations/0008_semantics.sql") },
    Migration { name: "flows/0009_hook_bytes", sql: include_str!("../migrations/0009_hook_bytes.sql") },
    Migration { name: "flows/0010_data_stores", sql: include_str!("../migrations/0010_data_stores.sql") },
    Migration {
        name: "flows/0011_connections_and_tasks",
        sql: include_str!("../migrations/0011_connections_and_tasks.sql"),
    },
    Migration { name: "flows/0012_packages", sql: include_str!("../migrations/0012_packages.sql") },
    Migration { name: "flows/0013_databricks", sql: include_str!("../migrations/0013_databricks.sql") },
    Migration { name: "flows/0014_pages", sql: include_str!("../migrations/0014_pages.sql") },
    Migration { name: "flows/0015_outcomes", sql: include_str!("../migrations/0015_outcomes.sql") },
];
