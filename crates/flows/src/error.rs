//! What can be wrong when somebody asks something of `flows`.
//!
//! An error of a module inside a run is not one of these: it is part of the
//! run's history, see [`crate::run`].

use std::net::IpAddr;

use base::db;
use base::error::{Coded, Kind};
use base::secret::SecretError;

use crate::flows::SignalsError;
use crate::form::Misfit;
use crate::incomplete::IncompleteId;
use crate::run::RunId;
use crate::structure::Mismatch;
use crate::task::TaskId;

/// Why a verb of this crate did not do as told.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no such flow.
    #[error("flow \"{key}\" does not exist")]
    UnknownFlow {
        /// As asked for.
        key: String,
    },
    /// Somebody else stored a draft meanwhile.
    #[error(
        "flow \"{key}\" was changed meanwhile: look at the difference, then store your draft on top of what is there"
    )]
    DraftChanged {
        /// Key of the flow.
        key: String,
    },
    /// There is no such run.
    #[error("run \"{id}\" does not exist")]
    UnknownRun {
        /// As asked for.
        id: RunId,
    },
    /// There is no such version.
    #[error("{of} has no version {number}")]
    UnknownVersion {
        /// Of what, in words.
        of: String,
        /// As asked for.
        number: u64,
    },
    /// There is a connection of this name, and it is not to be replaced.
    #[error("connection \"{name}\" is there already: choose another name")]
    ConnectionExists {
        /// Its name.
        name: String,
    },
    /// There is no such connection.
    #[error("connection \"{name}\" does not exist")]
    UnknownConnection {
        /// As asked for.
        name: String,
    },
    /// A connection that flows name is not removed.
    #[error("connection \"{name}\" is named by {}: name another one there before",
        if .flows.len() == 1 { format!("flow \"{}\"", .flows[0]) } else { format!("flows \"{}\"", .flows.join("\", \"")) })]
    ConnectionInUse {
        /// The connection.
        name: String,
        /// Keys of the flows.
        flows: Vec<String>,
    },
    /// A connection that is always there is not removed.
    #[error("connection \"{name}\" is always there")]
    ConnectionBuiltIn {
        /// The connection.
        name: String,
    },
    /// There is no such task.
    #[error("task \"{id}\" does not exist")]
    UnknownTask {
        /// As asked for.
        id: TaskId,
    },
    /// There is no task with this address.
    #[error("there is no task at this address")]
    UnknownTaskAddress,
    /// A task is answered once.
    #[error("task \"{id}\" cannot be answered any more: {why}")]
    TaskClosed {
        /// The task.
        id: TaskId,
        /// Who answered before, or what happened.
        why: String,
    },
    /// There is no such data structure.
    #[error("data structure \"{name}\" does not exist")]
    UnknownStructure {
        /// As asked for.
        name: String,
    },
    /// There is no such page.
    #[error("page \"{name}\" does not exist")]
    UnknownPage {
        /// As asked for.
        name: String,
    },
    /// A page cannot be written so.
    #[error("page \"{name}\" is not written: {detail}")]
    BadPage {
        /// The page.
        name: String,
        /// What is wrong with it.
        detail: String,
    },
    /// There is no such data store.
    #[error("data store \"{name}\" does not exist")]
    UnknownStore {
        /// As asked for.
        name: String,
    },
    /// A data store has no such record.
    #[error("data store \"{store}\" has no record with the key \"{key}\"")]
    UnknownRecord {
        /// The store.
        store: String,
        /// As asked for.
        key: String,
    },
    /// Another data store is called like that.
    #[error("a data store \"{name}\" is there already")]
    StoreTaken {
        /// The name.
        name: String,
    },
    /// A data store does not take a record.
    #[error("data store \"{store}\" refuses the record: {detail}")]
    BadRecord {
        /// The store.
        store: String,
        /// What is wrong with it.
        detail: String,
    },
    /// A webhook shall check with a data structure that is not there.
    #[error("hook \"{hook}\" is to check with data structure \"{structure}\", which does not exist: put that first")]
    HookWithoutStructure {
        /// The hook.
        hook: String,
        /// The structure, as it was named.
        structure: String,
    },
    /// Webhooks check with a data structure that is to be removed.
    #[error("data structure \"{name}\" is what {} with: set another one there, or none, before",
        if .hooks.len() == 1 { format!("hook \"{}\" checks", .hooks[0]) } else { format!("hooks \"{}\" check", .hooks.join("\", \"")) })]
    StructureInUse {
        /// The structure.
        name: String,
        /// The hooks.
        hooks: Vec<String>,
    },
    /// There is no such hook.
    #[error("hook \"{hook}\" does not exist")]
    UnknownHook {
        /// As asked for.
        hook: String,
    },
    /// There is no hook with this address.
    #[error("there is no hook at this address")]
    UnknownAddress,
    /// Somebody has switched the hook off.
    #[error("this hook is switched off")]
    HookDisabled,
    /// The hook takes requests from other addresses only.
    #[error("this hook takes no requests from {}", .from.map_or("an address that is not known".into(), |from| from.to_string()))]
    HookClosed {
        /// From where it came, as far as that is known.
        from: Option<IpAddr>,
    },
    /// The hook gets more requests than it may.
    #[error("this hook takes {requests_max} requests in 10 seconds: try again in {retry_after_s} s")]
    HookRate {
        /// How many it takes.
        requests_max: u64,
        /// When it takes the next one, in seconds from now.
        retry_after_s: u64,
    },
    /// Data does not fit the hook's structure; nothing was stored.
    #[error("the data does not fit at \"{}\": {}", .mismatch.path, .mismatch.text)]
    Mismatch {
        /// What, and where.
        mismatch: Mismatch,
    },
    /// A hook belongs to one flow.
    #[error("hook \"{hook}\" belongs to flow \"{flow}\": name another hook, or none to have one of the flow's own")]
    HookTaken {
        /// The hook.
        hook: String,
        /// Whose it is.
        flow: String,
    },
    /// A hook that starts an active flow cannot be removed.
    #[error("hook \"{hook}\" starts flow \"{flow}\", which is active: deactivate that first")]
    HookInUse {
        /// The hook.
        hook: String,
        /// The flow.
        flow: String,
    },
    /// A key or name has letters that it may not have.
    #[error("\"{name}\" is not a name: use letters, digits, \".\", \"_\" and \"-\", at most 100")]
    BadName {
        /// As given.
        name: String,
    },
    /// The text is neither a blueprint nor the same structure in YAML.
    #[error("the text of flow \"{key}\" cannot be read: {detail}")]
    BadDocument {
        /// The flow.
        key: String,
        /// What is wrong, and where.
        detail: String,
    },
    /// The flow can be stored as a draft, but it would not run.
    #[error("flow \"{key}\" cannot be published: {first}{}", more(*.count))]
    NotRunnable {
        /// The flow.
        key: String,
        /// The first thing that is wrong.
        first: String,
        /// How many things are wrong.
        count: usize,
    },
    /// Only a published flow can be active.
    #[error("flow \"{key}\" has no published version yet")]
    NotPublished {
        /// The flow.
        key: String,
    },
    /// Only a run that is in doubt or parked waits for a decision.
    #[error("run \"{id}\" does not wait for a decision")]
    NotHeld {
        /// The run.
        id: RunId,
    },
    /// A run that has ended cannot be cancelled.
    #[error("run \"{id}\" has ended already")]
    HasEnded {
        /// The run.
        id: RunId,
    },
    /// There is no such incomplete execution.
    #[error("incomplete execution \"{id}\" does not exist")]
    UnknownIncomplete {
        /// As asked for.
        id: IncompleteId,
    },
    /// Only an open one can go on, and only one attempt at a time.
    #[error(
        "incomplete execution \"{id}\" does not wait: it is done, an attempt is under way, or another run of its sequential flow"
    )]
    NotOpen {
        /// The incomplete execution.
        id: IncompleteId,
    },
    /// The version that it is to go on with does not have the failed module.
    #[error("incomplete execution \"{id}\" cannot go on with this version: it has no module {module}")]
    NotResumable {
        /// The incomplete execution.
        id: IncompleteId,
        /// The module that failed.
        module: u32,
    },
    /// The start bundle is not what a flow can start with.
    #[error("the input of a run must be a JSON object")]
    BadInput,
    /// What was filled in does not fit the inputs that the flow declares.
    #[error("the input of flow \"{key}\" does not fit: {}", listed(.misfits))]
    Misfits {
        /// The flow.
        key: String,
        /// All that does not fit.
        misfits: Vec<Misfit>,
    },
    /// A module that cannot run without the others.
    #[error("flow \"{key}\": {detail}")]
    NotAlone {
        /// The flow.
        key: String,
        /// Which module, and why.
        detail: String,
    },
    /// A run that began with nothing cannot be replayed.
    #[error("run \"{id}\" keeps nothing to start another one with")]
    NoInput {
        /// The run.
        id: RunId,
    },
    /// There is nothing with which a run could begin.
    #[error("nothing waits for flow \"{key}\": {detail}")]
    NothingWaits {
        /// The flow.
        key: String,
        /// Why.
        detail: String,
    },
    /// A run cannot be run again from where it was asked for.
    #[error("run {id} cannot be run again from there: {detail}")]
    NotReplayable {
        /// The run.
        id: RunId,
        /// Why, and what can be done instead.
        detail: String,
    },
    /// A workspace does not answer what it is asked on behalf of a person.
    #[error("connection \"{name}\": {detail}")]
    Workspace {
        /// Name of the connection.
        name: String,
        /// What came of it, and what to do.
        detail: String,
    },
    /// What describes a connection does not fit its kind.
    #[error("connection \"{name}\" is not complete: {detail}")]
    BadConnection {
        /// The connection.
        name: String,
        /// What is missing or wrong.
        detail: String,
    },
    /// The queue of a hook is full; nothing was stored.
    #[error("hook \"{hook}\" is busy: items that wait for its flow: {waiting}, with {waiting_bytes} bytes")]
    Busy {
        /// The hook.
        hook: String,
        /// Length of the queue.
        waiting: u64,
        /// Bytes in it.
        waiting_bytes: u64,
    },
    /// The signal that starts the flow cannot be listened to.
    #[error("the signal that starts flow \"{key}\" is not available")]
    Signal {
        /// The flow.
        key: String,
        /// What the event subscriptions say.
        #[source]
        source: SignalsError,
    },
    /// A sealed secret does not open.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// The database did not do as told.
    #[error(transparent)]
    Database(#[from] db::Error),
}

fn more(count: usize) -> String {
    if count > 1 { format!(" (and {} more)", count - 1) } else { String::new() }
}

fn listed(misfits: &[Misfit]) -> String {
    misfits.iter().map(Misfit::to_string).collect::<Vec<_>>().join("; ")
}

impl Coded for Error {
    fn kind(&self) -> Kind {
        match self {
            Error::UnknownFlow { .. }
            | Error::UnknownRun { .. }
            | Error::UnknownVersion { .. }
            | Error::UnknownConnection { .. }
            | Error::UnknownIncomplete { .. }
            | Error::UnknownStructure { .. }
            | Error::UnknownPage { .. }
            | Error::UnknownStore { .. }
            | Error::UnknownRecord { .. }
            | Error::UnknownHook { .. }
            | Error::UnknownTask { .. }
            | Error::UnknownTaskAddress
            | Error::UnknownAddress => Kind::NotFound,
            Error::HookDisabled => Kind::Gone,
            Error::HookClosed { .. } => Kind::Denied,
            Error::BadName { .. }
            | Error::BadPage { .. }
            | Error::BadDocument { .. }
            | Error::NotRunnable { .. }
            | Error::BadInput
            | Error::Misfits { .. }
            | Error::NotAlone { .. }
            | Error::Mismatch { .. }
            | Error::HookWithoutStructure { .. }
            | Error::BadRecord { .. }
            | Error::BadConnection { .. } => Kind::Invalid,
            Error::NotPublished { .. }
            | Error::ConnectionExists { .. }
            | Error::NotHeld { .. }
            | Error::HasEnded { .. }
            | Error::DraftChanged { .. }
            | Error::NoInput { .. }
            | Error::NotReplayable { .. }
            | Error::NothingWaits { .. }
            | Error::NotOpen { .. }
            | Error::NotResumable { .. }
            | Error::StructureInUse { .. }
            | Error::ConnectionInUse { .. }
            | Error::ConnectionBuiltIn { .. }
            | Error::TaskClosed { .. }
            | Error::StoreTaken { .. }
            | Error::HookTaken { .. }
            | Error::HookInUse { .. } => Kind::Conflict,
            Error::Busy { .. } | Error::HookRate { .. } => Kind::TooMany,
            Error::Workspace { .. } => Kind::Unavailable,
            Error::Signal { source, .. } => source.kind,
            Error::Secret(error) => error.kind(),
            Error::Database(error) => error.kind(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Error::UnknownFlow { .. } => "flow-unknown",
            Error::DraftChanged { .. } => "flow-changed",
            Error::UnknownRun { .. } => "run-unknown",
            Error::UnknownConnection { .. } => "connection-unknown",
            Error::ConnectionInUse { .. } => "connection-in-use",
            Error::ConnectionBuiltIn { .. } => "connection-built-in",
            Error::UnknownTask { .. } | Error::UnknownTaskAddress => "task-unknown",
            Error::TaskClosed { .. } => "task-closed",
            Error::UnknownVersion { .. } => "version-unknown",
            Error::ConnectionExists { .. } => "connection-exists",
            Error::UnknownStructure { .. } => "structure-unknown",
            Error::UnknownPage { .. } => "page-unknown",
            Error::BadPage { .. } => "page-invalid",
            Error::UnknownStore { .. } => "data-store-unknown",
            Error::UnknownRecord { .. } => "record-unknown",
            Error::StoreTaken { .. } => "data-store-taken",
            Error::BadRecord { .. } => "record-invalid",
            Error::UnknownHook { .. } | Error::UnknownAddress => "hook-unknown",
            Error::HookDisabled => "hook-disabled",
            Error::HookClosed { .. } => "hook-closed",
            Error::HookRate { .. } => "hook-requests-too-many",
            Error::Mismatch { .. } => "hook-data-mismatch",
            Error::HookTaken { .. } => "hook-taken",
            Error::HookWithoutStructure { .. } => "hook-structure-unknown",
            Error::StructureInUse { .. } => "structure-in-use",
            Error::HookInUse { .. } => "hook-in-use",
            Error::BadName { .. } => "name-invalid",
            Error::BadDocument { .. } => "flow-unreadable",
            Error::NotRunnable { .. } => "flow-not-runnable",
            Error::NotPublished { .. } => "flow-not-published",
            Error::NotHeld { .. } => "run-not-held",
            Error::HasEnded { .. } => "run-ended",
            Error::Misfits { .. } => "run-input-misfit",
            Error::NotAlone { .. } => "module-not-alone",
            Error::NoInput { .. } => "run-without-input",
            Error::NothingWaits { .. } => "flow-nothing-waits",
            Error::NotReplayable { .. } => "run-not-replayable",
            Error::UnknownIncomplete { .. } => "incomplete-unknown",
            Error::NotOpen { .. } => "incomplete-not-open",
            Error::NotResumable { .. } => "incomplete-not-resumable",
            Error::BadInput => "run-input-invalid",
            Error::BadConnection { .. } => "connection-incomplete",
            Error::Busy { .. } => "hook-busy",
            Error::Workspace { .. } => "connection-refused",
            Error::Signal { .. } => "flow-signal-unavailable",
            Error::Secret(error) => error.code(),
            Error::Database(error) => error.code(),
        }
    }
}
