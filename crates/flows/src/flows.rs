//! The verbs of this crate: everything that somebody outside asks of it.
//!
//! Each verb that changes something is one transaction with its audit row. The
//! engine itself is in `work`.

mod connections;
mod start;
mod tasks;
mod trials;
mod workspaces;
mod again;
mod incomplete;
mod stores;
mod structures;
mod hooks;
mod imports;
mod blueprints;
mod literals;
mod publishing;
mod packages;
mod variables;
mod runs;
mod history;
mod outcomes;
mod documents;
mod samples;

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use base::db::{self, Db, Tx};
use base::error::Kind;
use base::http::Http;
use base::mail::Post;
use base::secret::KeyRing;
use base::{Actor, BoxFuture, Chance, Clock, audit};
use parking_lot::Mutex;
use serde_json::{Map, Value as Json, json};
use tokio::sync::Notify;

use crate::callers::Callers;
use crate::connection::Tokens;
use crate::databricks::pace::{Buckets, Pacing};
use crate::error::Error;
use crate::feedback::Notices;
use crate::flow::{FlowDetails, FlowInfo, FlowState, Notice};
use crate::hook::gate::Gate;
use crate::hook::queue_of;
use crate::limits::Limits;
use crate::program::{Program, Start};
use crate::run::RunId;
use crate::semantics::Semantics;
use crate::tables::{self, FlowRow};
use crate::work::door::Door;
use crate::work::history::LookedAt;

pub use again::{Again, StartingAt};
pub use blueprints::{ImportOptions, ImportedFlow};
pub(crate) use connections::Behind;
pub use documents::{Document, Seen};
pub use literals::{MovedSecret, MovedSecrets};
pub use publishing::Reading;
pub use samples::Sample;
pub use start::Which;
pub use tasks::Answerer;
pub use variables::SharedScope;
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
    /// Bytes of data that may wait on one hook. A single item may have more:
    /// it would never get in.
    pub hook_queue_bytes_max: u64,
    /// Requests that a webhook takes in 10 seconds; 0 for any number.
    pub hook_requests_per_10s_max: u64,
    /// How long the caller of a webhook waits for the answer of its flow.
    pub hook_answer_max: Duration,
    /// Steps that a run may take between two effects before it lets others go first.
    pub steps_at_once: usize,
    /// Bytes of each captured input and output; longer ones are left out.
    pub capture_bytes_max: usize,
    /// Operations of one run that are kept for the history; later ones are
    /// only counted.
    pub operations_kept_max: u64,
    /// Runs that sleep and are kept in memory, so that they need no replay.
    pub warm_max: usize,
    /// A run is parked after the program died so often in the midst of a step
    /// of it, without coming on in between.
    pub deaths_max: u32,
    /// How often a flow may come back to the same signal of the same record
    /// within an hour before it is paused; see [`crate::feedback`].
    pub returns_per_hour_max: u64,
    /// People are told so long before a connection ends.
    pub connection_warning: Duration,
    /// How long runs that have ended are kept.
    pub history: Duration,
    /// How long effects in flight may take after the engine was told to stop.
    pub grace: Duration,
    /// How much flows and runs may take.
    pub limits: Limits,
    /// What the original leaves open.
    pub semantics: Semantics,
    /// How calls to Databricks workspaces are paced.
    pub databricks: Pacing,
    /// In a simulation nobody waits for the machine's clock: pauses are over
    /// when this tells so.
    #[cfg(test)]
    pub(crate) pauses: Option<Arc<tokio::sync::Notify>>,
}

/// What a person decides about a run that is in doubt or parked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It goes on; its effect in flight is performed (again), with the same key.
    Repeat,
    /// It ends here as an error.
    Abandon,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            concurrency: 256,
            hook_queue_max: 10_000,
            hook_queue_bytes_max: 256 << 20,
            hook_requests_per_10s_max: 0,
            hook_answer_max: Duration::from_mins(3),
            steps_at_once: 1_000,
            capture_bytes_max: 16 << 10,
            operations_kept_max: 10_000,
            warm_max: 1_024,
            deaths_max: 3,
            returns_per_hour_max: 3,
            connection_warning: Duration::from_hours(24 * 14),
            history: Duration::from_hours(24 * 60),
            grace: Duration::from_secs(10),
            limits: Limits::default(),
            semantics: Semantics::default(),
            databricks: Pacing::default(),
            #[cfg(test)]
            pauses: None,
        }
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
    /// Tokens that connections have fetched.
    pub(crate) tokens: Arc<Tokens>,
    pub(crate) signals: OnceLock<Arc<dyn Signals>>,
    pub(crate) notices: OnceLock<Arc<dyn Notices>>,
    /// Where mail leaves.
    pub(crate) post: OnceLock<Arc<dyn Post>>,
    /// Where people reach this server.
    pub(crate) address: OnceLock<String>,
    /// Runs that were cancelled and may still be in the engine's memory.
    pub(crate) cancelled: Mutex<Vec<RunId>>,
    /// Wakes the engine when there may be something to do.
    pub(crate) nudge: Notify,
    /// Wakes whoever looks at workspaces.
    pub(crate) watch_nudge: Notify,
    /// How many calls workspaces may be sent.
    pub(crate) buckets: Buckets,
    /// Those who wait for what a run answers.
    pub(crate) callers: Arc<Callers>,
    /// What is remembered of webhooks between requests.
    pub(crate) gate: Gate,
    /// Where runs go in that start at once.
    pub(crate) door: Door,
    /// Compiled texts by their hash.
    programs: Mutex<HashMap<String, Arc<Program>>>,
    /// What was recomputed of runs that somebody looked at.
    pub(crate) recomputed: Mutex<LookedAt>,
}

/// Rows of the audit trail in one answer.
const AUDIT_ROWS_MAX: usize = 1_000;

/// Compiled texts that are kept.
const PROGRAMS_MAX: usize = 256;

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
        Flows {
            db,
            http,
            keys,
            clock,
            chance,
            options,
            tokens: Arc::default(),
            signals: OnceLock::new(),
            notices: OnceLock::new(),
            post: OnceLock::new(),
            address: OnceLock::new(),
            cancelled: Mutex::default(),
            nudge: Notify::new(),
            watch_nudge: Notify::new(),
            buckets: Buckets::default(),
            callers: Arc::default(),
            gate: Gate::default(),
            door: Door::default(),
            programs: Mutex::default(),
            recomputed: Mutex::default(),
        }
    }

    /// Hands in the port to signals. It comes after [`Flows::new`], because
    /// the other side of it calls [`Flows::accept`]. A second call is ignored.
    pub fn set_signals(&self, signals: Arc<dyn Signals>) {
        let _ = self.signals.set(signals);
    }

    /// Hands in the port to people; until then what there is to tell goes into
    /// the log. A second call is ignored.
    pub fn set_notices(&self, notices: Arc<dyn Notices>) {
        let _ = self.notices.set(notices);
    }

    /// Hands in the port through which mail leaves; until then none does. A
    /// second call is ignored.
    pub fn set_post(&self, post: Arc<dyn Post>) {
        let _ = self.post.set(post);
    }

    /// Stores the text of a flow as its draft; makes the flow if it is new.
    /// A text that cannot be read is refused; one that would not run is
    /// stored, and the notices say why.
    pub async fn put(&self, actor: &Actor, key: &str, text: &str) -> Result<Vec<Notice>, Error> {
        Ok(self.put_over(actor, key, text, None).await?.1)
    }

    /// The same, but only over a draft that is as the caller has seen it;
    /// returns the revision of what is stored now, too.
    async fn put_over(
        &self,
        actor: &Actor,
        key: &str,
        text: &str,
        seen: Option<Seen>,
    ) -> Result<(String, Vec<Notice>), Error> {
        check_name(key)?;
        if text.len() > self.options.limits.text_bytes_max {
            let (size, max) = (text.len(), self.options.limits.text_bytes_max);
            let detail = format!("it has {size} bytes, and at most {max} are allowed");
            return Err(Error::BadDocument { key: key.to_owned(), detail });
        }
        let program =
            self.compiled_today(text).await?.map_err(|detail| Error::BadDocument { key: key.to_owned(), detail })?;
        let used = structures::written(&program);
        let notices = self.notices_of(text, &program).await?;
        let name = if program.name.is_empty() { key.to_owned() } else { program.name.clone() };
        let (actor, key, text, hash) = (actor.clone(), key.to_owned(), text.to_owned(), program.hash.clone());
        let now = self.clock.now();
        let revision = hash.clone();
        self.db
            .write("flows.put", move |tx| {
                let before = tables::flow(tx, &key)?;
                if seen.as_ref().is_some_and(|seen| !seen.is(before.as_ref())) {
                    return Err(Error::DraftChanged { key: key.clone() });
                }
                if before.as_ref().is_some_and(|flow| flow.draft == hash) {
                    return Ok(());
                }
                tables::put_text(tx, &hash, &text)?;
                if let Some(used) = &used {
                    tables::put_text_structures(tx, &hash, used)?;
                }
                tables::put_draft(tx, &key, &name, &hash, now)?;
                tables::set_author(tx, &key, &hash, &actor.id, false)?;
                let verb = if before.is_some() { "update" } else { "create" };
                let before = before.map(|flow| json!({"draft": flow.draft}));
                audit::record(tx, &actor, verb, "flow", &key, before.as_ref(), Some(&json!({"draft": hash})), now)?;
                Ok::<_, Error>(())
            })
            .await?;
        Ok((revision, notices))
    }

    /// Tells the names of writes from now on, each once it is durable.
    pub fn committed(&self) -> tokio::sync::broadcast::Receiver<&'static str> {
        self.db.committed()
    }

    /// Compiles a text with the structures and webhooks that there are now.
    async fn compiled_today(&self, text: &str) -> Result<Result<Program, String>, Error> {
        let structures = self.structures_by_name().await?;
        let hooks = self.hooks_by_number().await?;
        let program = Program::compile_with(text, &structures, &self.options.semantics);
        Ok(program.map(|program| program.with_hooks(&hooks)))
    }

    /// Sets values for the flow's variables (`{{var.flow.name}}`), over the
    /// defaults that stand in its text. Runs that were started before keep theirs.
    pub async fn set_variables(&self, actor: &Actor, key: &str, variables: Map<String, Json>) -> Result<(), Error> {
        let (actor, key, now) = (actor.clone(), key.to_owned(), self.clock.now());
        let variables = Json::Object(variables);
        self.db
            .write("flows.set_variables", move |tx| {
                let flow = known(tx, &key)?;
                let before: Json = serde_json::from_str(&flow.variables).unwrap_or_default();
                if before == variables {
                    return Ok(());
                }
                tables::set_variables(tx, &key, &variables.to_string())?;
                audit::record(tx, &actor, "set-variables", "flow", &key, Some(&before), Some(&variables), now)?;
                Ok(())
            })
            .await
    }

    /// Switches the schedule or hook of the published version on. Where it is
    /// on already its schedule goes on as it went: whoever activates every
    /// hour must not put off what is due every two. A flow that is paused goes
    /// on, with what waits on its hook first. What is not known here and will
    /// fail is named.
    pub async fn activate(&self, actor: &Actor, key: &str) -> Result<Vec<Notice>, Error> {
        let flow = self.flow(key).await?;
        let Some(hash) = &flow.published else { return Err(Error::NotPublished { key: key.to_owned() }) };
        let program = self.program(hash).await?;
        self.watch(key, &program).await?;
        let (actor, key, now) = (actor.clone(), key.to_owned(), self.clock.now());
        let next_at = first_time(&program, now);
        // Somebody may have removed it since the publication.
        let claim = self.claim_of(&key, &program);
        self.db
            .write("flows.activate", move |tx| {
                let flow = known(tx, &key)?;
                if flow.takes_items() {
                    return Ok(());
                }
                claim.make(tx, &actor, &key, now)?;
                tables::set_active(tx, &key, true, next_at)?;
                tables::forget_returns(tx, &key)?;
                let mut before = json!({"active": flow.active, "paused": flow.paused});
                if let Some(why) = &flow.switched_off {
                    before["switchedOff"] = why.as_str().into();
                }
                let after = json!({"active": true});
                audit::record(tx, &actor, "activate", "flow", &key, Some(&before), Some(&after), now)?;
                Ok::<_, Error>(())
            })
            .await?;
        self.gate.forget();
        self.nudge.notify_one();
        self.watch_nudge.notify_one();
        Ok(program.unknown_notices())
    }

    /// Asks for the signals that start a flow, if any do.
    pub(crate) async fn watch(&self, key: &str, program: &Program) -> Result<(), Error> {
        let (Some(hook), Some(signals)) = (hook_of(key, program), self.signals.get()) else { return Ok(()) };
        let Start::Signal { knowledge_model, trigger, .. } = &program.start else { return Ok(()) };
        let watched = signals.watch(&hook, knowledge_model, trigger).await;
        watched.map_err(|source| Error::Signal { key: key.to_owned(), source })?;
        let (key, model, trigger) = (key.to_owned(), knowledge_model.clone(), trigger.clone());
        let now = self.clock.now();
        let note = move |tx: &mut dyn Tx| Ok(tables::note_listening(tx, &key, (&model, &trigger), now)?);
        self.db.write("flows.note_listening", note).await
    }

    /// Asks for no more signals. What a program that can no longer be read
    /// listened to is not known, but where it listened is.
    async fn unwatch(&self, key: &str, program: Option<&Program>) -> Result<(), Error> {
        let listened = program.is_none_or(|program| matches!(program.start, Start::Signal { .. }));
        let (Some(hook), Some(signals)) = (listened.then(|| hook_name(key)), self.signals.get()) else { return Ok(()) };
        signals.unwatch(&hook).await.map_err(|source| Error::Signal { key: key.to_owned(), source })
    }

    /// Switches the schedule or hook off. Live runs go on to their end.
    pub async fn deactivate(&self, actor: &Actor, key: &str) -> Result<(), Error> {
        let flow = self.flow(key).await?;
        if flow.published.is_some() {
            self.unwatch(key, self.published(&flow).await?.as_deref()).await?;
        }
        let (actor, key, now) = (actor.clone(), key.to_owned(), self.clock.now());
        self.db
            .write("flows.deactivate", move |tx| {
                if !known(tx, &key)?.active {
                    return Ok(());
                }
                tables::set_active(tx, &key, false, None)?;
                let state = |active: bool| json!({"active": active});
                audit::record(tx, &actor, "deactivate", "flow", &key, Some(&state(true)), Some(&state(false)), now)?;
                Ok::<_, Error>(())
            })
            .await?;
        self.gate.forget();
        Ok(())
    }

    /// Returns a flow with its texts.
    pub async fn get(&self, key: &str) -> Result<FlowDetails, Error> {
        let flow = self.flow(key).await?;
        let info = self.info(flow.clone()).await?;
        let program = self.program(&flow.draft).await?;
        let (draft, published) = (flow.draft, flow.published);
        let (draft, published) = self
            .db
            .read("flows.texts", move |tx| {
                let draft = tables::text(tx, &draft)?.unwrap_or_default();
                let published = published.map(|hash| tables::text(tx, &hash)).transpose()?.flatten();
                Ok::<_, Error>((draft, published))
            })
            .await?;
        let variables = serde_json::from_str(&flow.variables).unwrap_or_default();
        let notices = self.notices_of(&draft, &program).await?;
        Ok(FlowDetails { info, draft, published, variables, notices })
    }

    /// Returns all flows by key.
    pub async fn list(&self) -> Result<Vec<FlowInfo>, Error> {
        let flows = self.db.read("flows.list", tables::flows).await?;
        let mut infos = Vec::with_capacity(flows.len());
        for flow in flows {
            infos.push(self.info(flow).await?);
        }
        Ok(infos)
    }

    async fn info(&self, flow: FlowRow) -> Result<FlowInfo, Error> {
        let hook = match &flow.published {
            // A list must not fail because one of its flows can no longer be read.
            Some(hash) => self.program(hash).await.ok().and_then(|program| hook_of(&flow.key, &program)),
            None => None,
        };
        let asked = hook.clone();
        let waiting = match asked {
            Some(hook) => self.db.read("flows.waiting", move |tx| tables::waiting(tx, &hook)).await?,
            None => None,
        };
        Ok(FlowInfo {
            state: match (flow.active, &flow.paused) {
                (true, None) => FlowState::Active,
                (true, Some(_)) => FlowState::Paused,
                (false, _) if flow.switched_off.is_some() => FlowState::SwitchedOff,
                (false, _) => FlowState::Inactive,
            },
            draft_ahead: flow.published.as_ref() != Some(&flow.draft),
            key: flow.key,
            name: flow.name,
            package: flow.package,
            version: flow.version,
            hook,
            waiting: waiting.unwrap_or(0),
            next_at: flow.next_at,
            updated_at: flow.updated_at,
            paused: flow.paused,
            switched_off: flow.switched_off,
        })
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.options.limits
    }

    pub(crate) async fn flow(&self, key: &str) -> Result<FlowRow, Error> {
        let key = key.to_owned();
        self.db.read("flows.flow", move |tx| known(tx, &key)).await
    }

    /// Reads at most `limit` rows of the audit trail of flows, runs and
    /// connections, newest first, before a sequence number if there is one.
    /// They lie in the flows' own file, because a change and its row share a
    /// transaction; whoever calls this has asked for the right to read them.
    pub async fn audit(&self, before_sequence: Option<u64>, limit: usize) -> Result<Vec<audit::Entry>, Error> {
        let limit = limit.min(AUDIT_ROWS_MAX);
        Ok(self.db.read("flows.audit", move |tx| audit::page(tx, before_sequence, limit)).await?)
    }

    /// Returns the compiled text with this hash.
    pub(crate) async fn program(&self, hash: &str) -> Result<Arc<Program>, Error> {
        if let Some(program) = self.programs.lock().get(hash) {
            return Ok(program.clone());
        }
        let asked = hash.to_owned();
        let (text, structures) = self
            .db
            .read("flows.text", move |tx| {
                Ok::<_, Error>((tables::text(tx, &asked)?.unwrap_or_default(), tables::text_structures(tx, &asked)?))
            })
            .await?;
        let (structures, hooks) = structures.map(|text| structures::read(&text)).unwrap_or_default();
        let program = Program::compile_with(&text, &structures, &self.options.semantics)
            .map(|program| program.with_hooks(&hooks))
            .inspect(|program| debug_assert_eq!(program.hash, hash, "texts are stored under their hash"))
            .map(Arc::new)
            .map_err(|detail| Error::BadDocument { key: hash.to_owned(), detail })?;
        let mut programs = self.programs.lock();
        if programs.len() >= PROGRAMS_MAX {
            programs.clear();
        }
        programs.insert(hash.to_owned(), program.clone());
        Ok(program)
    }
}

fn known(tx: &mut dyn db::Tx, key: &str) -> Result<FlowRow, Error> {
    tables::flow(tx, key)?.ok_or_else(|| Error::UnknownFlow { key: key.to_owned() })
}

/// Returns the hook of a flow, if it starts on one.
pub(crate) fn hook_of(key: &str, program: &Program) -> Option<String> {
    match program.start {
        Start::Nothing => None,
        Start::Signal { .. } | Start::RunEnded { .. } => Some(hook_name(key)),
        Start::Webhook { ref hook, .. } => Some(queue_of(hook.as_deref().unwrap_or(key))),
    }
}

fn hook_name(key: &str) -> String {
    format!("flow.{key}")
}

/// Returns when a program that is switched on now is first due.
fn first_time(program: &Program, now: base::Timestamp) -> Option<base::Timestamp> {
    let schedule = program.schedule.as_ref().filter(|schedule| schedule.is_timed())?;
    schedule.clone().anchored_at(now).next_after(now)
}

pub(crate) fn check_name(name: &str) -> Result<(), Error> {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '.' | '_' | '-');
    if name.is_empty() || name.len() > 100 || !name.chars().all(plain) {
        return Err(Error::BadName { name: name.to_owned() });
    }
    Ok(())
}

#[cfg(test)]
mod tests;
