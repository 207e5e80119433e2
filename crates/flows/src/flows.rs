//! The verbs of this crate.

use std::sync::{Arc, OnceLock};

use base::db::{self, Db};
use base::error::Kind;
use base::http::Http;
use base::secret::KeyRing;
use base::{Actor, BoxFuture, Chance, Clock};
use serde_json::{Map, Value as Json};
use tokio_util::sync::CancellationToken;

use crate::connection::{ConnectionInfo, ConnectionSpec};
use crate::error::Error;
use crate::flow::{FlowDetails, FlowInfo, Notice};
use crate::hook::Accepted;
use crate::run::{Counts, RunDetails, RunId, RunInfo};

/// Why a signal cannot be listened to.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{detail}")]
pub struct SignalsError {
    /// What the caller should do about it.
    pub kind: Kind,
    /// What is wrong, such as `trigger "LATE" does not exist`.
    pub detail: String,
}

/// The port through which a flow asks to be started by a signal. The program
/// wires it to the event subscriptions, whose local sink calls
/// [`Flows::accept`].
pub trait Signals: Send + Sync {
    /// Brings each signal of `trigger` to `hook` from now on. Asking again for
    /// the same is no error and changes nothing.
    fn watch(&self, hook: &str, knowledge_model: &str, trigger: &str) -> BoxFuture<'_, Result<(), SignalsError>>;
    /// Brings none from now on. Asking again is no error.
    fn unwatch(&self, hook: &str) -> BoxFuture<'_, Result<(), SignalsError>>;
}

/// Settings of the engine.
#[derive(Clone, Debug)]
pub struct Options {
    /// Runs that are worked on at the same time.
    pub concurrency: usize,
    /// Items that may wait on one hook.
    pub hook_queue_max: u64,
    /// Steps that a run may take between two effects before it lets others go first.
    pub steps_at_once: usize,
    /// Bytes of each captured input and output; the rest is left out.
    pub capture_bytes_max: usize,
}

impl Default for Options {
    fn default() -> Self {
        Options { concurrency: 64, hook_queue_max: 10_000, steps_at_once: 10_000, capture_bytes_max: 16 << 10 }
    }
}

/// Action flows.
pub struct Flows {
    pub(crate) db: Db<db::Flows>,
    pub(crate) http: Arc<dyn Http>,
    pub(crate) keys: Arc<KeyRing>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) chance: Arc<dyn Chance>,
    pub(crate) options: Options,
    pub(crate) signals: OnceLock<Arc<dyn Signals>>,
}

impl Flows {
    /// Makes the engine over its database. Nothing runs before [`Flows::run`].
    pub fn new(
        db: Db<db::Flows>,
        http: Arc<dyn Http>,
        keys: Arc<KeyRing>,
        clock: Arc<dyn Clock>,
        chance: Arc<dyn Chance>,
        options: Options,
    ) -> Self {
        Flows { db, http, keys, clock, chance, options, signals: OnceLock::new() }
    }

    /// Hands in the port to signals. It comes after [`Flows::new`], because
    /// the other side of it calls [`Flows::accept`]. A second call is ignored.
    pub fn set_signals(&self, signals: Arc<dyn Signals>) {
        let _ = self.signals.set(signals);
    }

    /// Stores the text of a flow as its draft; makes the flow if it is new.
    /// A text that cannot be read is refused; one that would not run is
    /// stored, and the notices say why.
    pub async fn put(&self, actor: &Actor, key: &str, text: &str) -> Result<Vec<Notice>, Error> {
        todo!()
    }

    /// Sets values for the flow's variables (`{{var.flow.name}}`), over the
    /// defaults that stand in its text. Runs that were started before keep theirs.
    pub async fn set_variables(&self, actor: &Actor, key: &str, variables: Map<String, Json>) -> Result<(), Error> {
        todo!()
    }

    /// Makes the draft the version that runs from now on; returns its number.
    /// A draft that equals the published version changes nothing.
    pub async fn publish(&self, actor: &Actor, key: &str) -> Result<u64, Error> {
        todo!()
    }

    /// Switches the schedule or hook of the published version on.
    pub async fn activate(&self, actor: &Actor, key: &str) -> Result<(), Error> {
        todo!()
    }

    /// Switches the schedule or hook off. Live runs go on to their end.
    pub async fn deactivate(&self, actor: &Actor, key: &str) -> Result<(), Error> {
        todo!()
    }

    /// Starts one run now with `input` as its start bundle: of the published
    /// version, or of the draft if there is none yet.
    pub async fn run_once(&self, actor: &Actor, key: &str, input: Json) -> Result<RunId, Error> {
        todo!()
    }

    /// Returns a flow with its texts.
    pub async fn get(&self, key: &str) -> Result<FlowDetails, Error> {
        todo!()
    }

    /// Returns all flows by key.
    pub async fn list(&self) -> Result<Vec<FlowInfo>, Error> {
        todo!()
    }

    /// Stores a connection, its secret sealed; replaces one of the same name.
    pub async fn put_connection(&self, actor: &Actor, name: &str, spec: ConnectionSpec) -> Result<(), Error> {
        todo!()
    }

    /// Returns all connections by name, without secrets.
    pub async fn connections(&self) -> Result<Vec<ConnectionInfo>, Error> {
        todo!()
    }

    /// Removes a connection. Flows that name it fail from now on.
    pub async fn delete_connection(&self, actor: &Actor, name: &str) -> Result<(), Error> {
        todo!()
    }

    /// Brings an item to a hook; returns after it is durable. The same key is
    /// stored once. Refused with [`Error::Busy`] while the queue is full, and
    /// with [`Error::UnknownHook`] where no flow has ever had that hook.
    pub async fn accept(&self, hook: &str, key: &str, payload: Json) -> Result<Accepted, Error> {
        todo!()
    }

    /// Returns the latest runs of a flow, newest first, at most `limit`.
    pub async fn runs(&self, key: &str, limit: u32) -> Result<Vec<RunInfo>, Error> {
        todo!()
    }

    /// Returns a run with its operations.
    pub async fn run_details(&self, id: RunId) -> Result<RunDetails, Error> {
        todo!()
    }

    /// Counts runs by how they stand, over all flows.
    pub async fn counts(&self) -> Result<Counts, Error> {
        todo!()
    }

    /// Does the work of the engine until told to stop: starts runs, wakes
    /// them, performs their effects. What was in flight when it last ended is
    /// taken up first. When told to stop it lets effects in flight come to
    /// their end, and starts no new ones.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        todo!()
    }
}
