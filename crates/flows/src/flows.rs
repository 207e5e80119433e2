//! The verbs of this crate: everything that somebody outside asks of it.
//!
//! Each verb that changes something is one transaction with its audit row. The
//! engine itself is in `work`.

mod connections;
mod runs;

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use base::db::{self, Db};
use base::error::Kind;
use base::http::Http;
use base::secret::KeyRing;
use base::{Actor, BoxFuture, Chance, Clock, audit};
use parking_lot::Mutex;
use serde_json::{Map, Value as Json, json};
use tokio::sync::Notify;

use crate::error::Error;
use crate::feedback::Notices;
use crate::flow::{FlowDetails, FlowInfo, FlowState, Notice};
use crate::program::{Program, Start, hash_of};
use crate::tables::{self, FlowRow};

pub(crate) use connections::purpose_of;

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
    /// Bytes of each captured input and output; longer ones are left out.
    pub capture_bytes_max: usize,
    /// Operations of one run that are kept for the history; later ones are
    /// only counted.
    pub operations_kept_max: u64,
    /// Runs that sleep and are kept in memory, so that they need no replay.
    pub warm_max: usize,
    /// How often a flow may come back to the same signal of the same record
    /// within an hour before it is paused; see [`crate::feedback`].
    pub returns_per_hour_max: u64,
    /// How long effects in flight may take after the engine was told to stop.
    pub grace: Duration,
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
            concurrency: 64,
            hook_queue_max: 10_000,
            steps_at_once: 1_000,
            capture_bytes_max: 16 << 10,
            operations_kept_max: 10_000,
            warm_max: 1_024,
            returns_per_hour_max: 3,
            grace: Duration::from_secs(10),
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
    pub(crate) signals: OnceLock<Arc<dyn Signals>>,
    pub(crate) notices: OnceLock<Arc<dyn Notices>>,
    /// Wakes the engine when there may be something to do.
    pub(crate) nudge: Notify,
    /// Compiled texts by their hash.
    programs: Mutex<HashMap<String, Arc<Program>>>,
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
            signals: OnceLock::new(),
            notices: OnceLock::new(),
            nudge: Notify::new(),
            programs: Mutex::default(),
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

    /// Stores the text of a flow as its draft; makes the flow if it is new.
    /// A text that cannot be read is refused; one that would not run is
    /// stored, and the notices say why.
    pub async fn put(&self, actor: &Actor, key: &str, text: &str) -> Result<Vec<Notice>, Error> {
        check_name(key)?;
        let program = Program::compile(text).map_err(|detail| Error::BadDocument { key: key.to_owned(), detail })?;
        let name = if program.name.is_empty() { key.to_owned() } else { program.name.clone() };
        let (actor, key, text, hash) = (actor.clone(), key.to_owned(), text.to_owned(), program.hash.clone());
        let now = self.clock.now();
        self.db
            .write("flows.put", move |tx| {
                let before = tables::flow(tx, &key)?;
                if before.as_ref().is_some_and(|flow| flow.draft == hash) {
                    return Ok(());
                }
                tables::put_text(tx, &hash, &text)?;
                tables::put_draft(tx, &key, &name, &hash, now)?;
                let verb = if before.is_some() { "update" } else { "create" };
                let before = before.map(|flow| json!({"draft": flow.draft}));
                audit::record(tx, &actor, verb, "flow", &key, before.as_ref(), Some(&json!({"draft": hash})), now)?;
                Ok::<_, Error>(())
            })
            .await?;
        Ok(program.notices)
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

    /// Makes the draft the version that runs from now on; returns its number.
    /// A draft that equals the published version changes nothing.
    pub async fn publish(&self, actor: &Actor, key: &str) -> Result<u64, Error> {
        let flow = self.flow(key).await?;
        let program = self.program(&flow.draft).await?;
        let errors: Vec<&Notice> = program.errors().collect();
        if let Some(first) = errors.first() {
            return Err(Error::NotRunnable { key: key.to_owned(), first: first.to_string(), count: errors.len() });
        }
        let (actor, hash, now) = (actor.clone(), flow.draft.clone(), self.clock.now());
        let before = self.published(&flow).await?;
        // A schedule that stays as it was goes on as it went.
        let keeps_time = before.as_ref().is_some_and(|before| before.schedule == program.schedule);
        let next_at = first_time(&program, now);
        let hook = hook_of(&flow.key, &program);
        let flow_key = flow.key.clone();
        let number = self
            .db
            .write("flows.publish", move |tx| {
                let flow = known(tx, &flow_key)?;
                if let (Some(number), true) = (flow.version, flow.published.as_deref() == Some(&hash)) {
                    return Ok(number);
                }
                let number = flow.version.unwrap_or(0) + 1;
                tables::add_version(tx, &flow_key, number, &hash, &actor.id, now)?;
                if flow.takes_items() && !keeps_time {
                    tables::set_active(tx, &flow_key, true, next_at)?;
                }
                if let Some(hook) = &hook {
                    tables::make_hook(tx, hook, &flow_key)?;
                }
                let before = flow.published.map(|hash| json!({"version": flow.version, "text": hash}));
                let after = json!({"version": number, "text": hash});
                audit::record(tx, &actor, "publish", "flow", &flow_key, before.as_ref(), Some(&after), now)?;
                Ok::<_, Error>(number)
            })
            .await?;
        if flow.active && flow.published.as_deref() != Some(&flow.draft) {
            if before.as_ref().is_none_or(|before| before.start != program.start) {
                self.unwatch(key, before.as_deref()).await?;
            }
            self.watch(key, &program).await?;
        }
        // Its time may be another now, and items may have waited for it.
        self.nudge.notify_one();
        Ok(number)
    }

    /// Switches the schedule or hook of the published version on. Where it is
    /// on already its schedule goes on as it went: whoever activates every
    /// hour must not put off what is due every two. A flow that is paused goes
    /// on, with what waits on its hook first.
    pub async fn activate(&self, actor: &Actor, key: &str) -> Result<(), Error> {
        let flow = self.flow(key).await?;
        let Some(hash) = &flow.published else { return Err(Error::NotPublished { key: key.to_owned() }) };
        let program = self.program(hash).await?;
        self.watch(key, &program).await?;
        let (actor, key, now) = (actor.clone(), key.to_owned(), self.clock.now());
        let next_at = first_time(&program, now);
        self.db
            .write("flows.activate", move |tx| {
                let flow = known(tx, &key)?;
                if flow.takes_items() {
                    return Ok(());
                }
                tables::set_active(tx, &key, true, next_at)?;
                tables::forget_returns(tx, &key)?;
                let before = json!({"active": flow.active, "paused": flow.paused});
                let after = json!({"active": true});
                audit::record(tx, &actor, "activate", "flow", &key, Some(&before), Some(&after), now)?;
                Ok::<_, Error>(())
            })
            .await?;
        self.nudge.notify_one();
        Ok(())
    }

    /// Asks for the signals that start a flow, if any do.
    pub(crate) async fn watch(&self, key: &str, program: &Program) -> Result<(), Error> {
        let (Some(hook), Some(signals)) = (hook_of(key, program), self.signals.get()) else { return Ok(()) };
        let Start::Signal { knowledge_model, trigger, .. } = &program.start else { return Ok(()) };
        let watched = signals.watch(&hook, knowledge_model, trigger).await;
        watched.map_err(|source| Error::Signal { key: key.to_owned(), source })
    }

    /// Asks for no more signals. What a program that can no longer be read
    /// listened to is not known, but where it listened is.
    async fn unwatch(&self, key: &str, program: Option<&Program>) -> Result<(), Error> {
        let hook = program.map_or_else(|| Some(hook_name(key)), |program| hook_of(key, program));
        let (Some(hook), Some(signals)) = (hook, self.signals.get()) else { return Ok(()) };
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
                Ok(())
            })
            .await
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
        Ok(FlowDetails { info, draft, published, variables, notices: program.notices.clone() })
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
                (false, _) => FlowState::Inactive,
            },
            draft_ahead: flow.published.as_ref() != Some(&flow.draft),
            key: flow.key,
            name: flow.name,
            version: flow.version,
            hook,
            waiting: waiting.unwrap_or(0),
            next_at: flow.next_at,
            updated_at: flow.updated_at,
            paused: flow.paused,
        })
    }

    async fn flow(&self, key: &str) -> Result<FlowRow, Error> {
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
        let text = self.db.read("flows.text", move |tx| tables::text(tx, &asked)).await?.unwrap_or_default();
        debug_assert_eq!(hash_of(&text), hash, "texts are stored under their hash");
        let program = Program::compile(&text)
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
        Start::Signal { .. } => Some(hook_name(key)),
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

fn check_name(name: &str) -> Result<(), Error> {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '.' | '_' | '-');
    if name.is_empty() || name.len() > 100 || !name.chars().all(plain) {
        return Err(Error::BadName { name: name.to_owned() });
    }
    Ok(())
}

#[cfg(test)]
mod tests;
