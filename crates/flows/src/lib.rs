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
//! * [`blueprint`]: the stored document;
//! * [`program`]: the document compiled to a flat, immutable list of steps;
//! * [`modules`]: the kinds of steps, *pure* ones and *effects*; [`coverage`]:
//!   which of the original there are;
//! * [`engine`]: the machine that walks through a program, one bundle at a
//!   time, and stops at every effect;
//! * [`connection`]: sealed credentials, named by flows and never inside them;
//! * [`hook`]: queues of data that start runs;
//! * [`feedback`]: flows that start themselves, and are paused;
//! * [`run`]: what a run looks like from outside;
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
pub mod blueprint;
pub mod program;
pub mod modules;
pub mod coverage;
pub mod engine;
pub mod connection;
pub mod hook;
pub mod feedback;
pub mod run;
pub mod flow;
mod tables;
pub mod flows;
mod work;

pub use connection::{ConnectionInfo, ConnectionSpec, Credentials};
pub use error::Error;
pub use feedback::{Notices, PauseNotice};
pub use flow::{FlowDetails, FlowInfo, FlowState, Notice, Severity};
pub use flows::{Decision, Flows, Options, Signals, SignalsError};
pub use hook::Accepted;
pub use run::{Counts, Operation, OperationStatus, Outcome, RunDetails, RunId, RunInfo, RunState};

use base::db::Migration;

/// The tables of this crate, in the file `flows`.
pub const MIGRATIONS: &[Migration] = &[
    Migration { name: "flows/0001_flows", sql: include_str!("../migrations/0001_flows.sql") },
    Migration { name: "flows/0002_causes", sql: include_str!("../migrations/0002_causes.sql") },
];
