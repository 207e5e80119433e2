//! What can be wrong when somebody asks something of `flows`.
//!
//! An error of a module inside a run is not one of these: it is part of the
//! run's history, see [`crate::run`].

use base::db;
use base::error::{Coded, Kind};
use base::secret::SecretError;

use crate::flows::SignalsError;
use crate::run::RunId;

/// Why a verb of this crate did not do as told.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no such flow.
    #[error("flow \"{key}\" does not exist")]
    UnknownFlow {
        /// As asked for.
        key: String,
    },
    /// There is no such run.
    #[error("run \"{id}\" does not exist")]
    UnknownRun {
        /// As asked for.
        id: RunId,
    },
    /// There is no such connection.
    #[error("connection \"{name}\" does not exist")]
    UnknownConnection {
        /// As asked for.
        name: String,
    },
    /// There is no such hook.
    #[error("hook \"{hook}\" does not exist")]
    UnknownHook {
        /// As asked for.
        hook: String,
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
    /// The start bundle is not what a flow can start with.
    #[error("the input of a run must be a JSON object")]
    BadInput,
    /// What describes a connection does not fit its kind.
    #[error("connection \"{name}\" is not complete: {detail}")]
    BadConnection {
        /// The connection.
        name: String,
        /// What is missing or wrong.
        detail: String,
    },
    /// The queue of a hook is full; nothing was stored.
    #[error("hook \"{hook}\" is busy: {waiting} items wait for its flow")]
    Busy {
        /// The hook.
        hook: String,
        /// Length of the queue.
        waiting: u64,
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

impl Coded for Error {
    fn kind(&self) -> Kind {
        match self {
            Error::UnknownFlow { .. }
            | Error::UnknownRun { .. }
            | Error::UnknownConnection { .. }
            | Error::UnknownHook { .. } => Kind::NotFound,
            Error::BadName { .. }
            | Error::BadDocument { .. }
            | Error::NotRunnable { .. }
            | Error::BadInput
            | Error::BadConnection { .. } => Kind::Invalid,
            Error::NotPublished { .. } | Error::NotHeld { .. } => Kind::Conflict,
            Error::Busy { .. } => Kind::TooMany,
            Error::Signal { source, .. } => source.kind,
            Error::Secret(error) => error.kind(),
            Error::Database(error) => error.kind(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Error::UnknownFlow { .. } => "flow-unknown",
            Error::UnknownRun { .. } => "run-unknown",
            Error::UnknownConnection { .. } => "connection-unknown",
            Error::UnknownHook { .. } => "hook-unknown",
            Error::BadName { .. } => "name-invalid",
            Error::BadDocument { .. } => "flow-unreadable",
            Error::NotRunnable { .. } => "flow-not-runnable",
            Error::NotPublished { .. } => "flow-not-published",
            Error::NotHeld { .. } => "run-not-held",
            Error::BadInput => "run-input-invalid",
            Error::BadConnection { .. } => "connection-incomplete",
            Error::Busy { .. } => "hook-busy",
            Error::Signal { .. } => "flow-signal-unavailable",
            Error::Secret(error) => error.code(),
            Error::Database(error) => error.code(),
        }
    }
}
