//! The verbs that make versions of flows, tell what differs between them, and
//! go back.

use std::str::FromStr;
use std::sync::Arc;

use base::db::Tx;
use base::{Actor, Timestamp, audit};
use serde_json::json;

use super::hooks::Claim;
use super::{Flows, first_time, hook_of, known};
use crate::blueprint;
use crate::difference::{FlowDifference, difference};
use crate::error::Error;
use crate::flow::{FlowVersion, Notice};
use crate::program::Program;
use crate::tables::{self, FlowRow, NewVersion};

/// Names a text of a flow: `draft`, `published`, or the number of a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// What is being worked on.
    Draft,
    /// What runs.
    Published,
    /// The version of this number.
    Version(u64),
}

impl FromStr for Reading {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "draft" => Ok(Reading::Draft),
            "published" => Ok(Reading::Published),
            number => number.parse().map(Reading::Version).map_err(|_| ()),
        }
    }
}

/// A text that was checked, and what publishing it needs.
pub(super) struct Ready {
    pub(super) flow: FlowRow,
    hash: String,
    program: Arc<Program>,
    before: Option<Arc<Program>>,
    claim: Claim,
    next_at: Option<Timestamp>,
    /// A schedule that stays as it was goes on as it went.
    keeps_time: bool,
    /// The version whose text it is.
    of_version: Option<u64>,
}

impl Ready {
    /// Writes the version down; returns its number. A text that is published
    /// already makes none.
    pub(super) fn write(
        &self,
        tx: &mut dyn Tx,
        actor: &Actor,
        note: Option<&str>,
        now: Timestamp,
    ) -> Result<u64, Error> {
        let (key, hash) = (&self.flow.key, &self.hash);
        let flow = known(tx, key)?;
        if let (Some(number), true) = (flow.version, flow.published.as_deref() == Some(hash)) {
            return Ok(number);
        }
        let number = flow.version.unwrap_or(0) + 1;
        let version = NewVersion { number, hash, by: &actor.id, note, of_version: self.of_version };
        tables::add_version(tx, key, &version, now)?;
        tables::set_author(tx, key, hash, &actor.id, true)?;
        if flow.takes_items() && !self.keeps_time {
            tables::set_active(tx, key, true, self.next_at)?;
        }
        self.claim.make(tx, actor, key, now)?;
        if let Some(hook) = &hook_of(key, &self.program) {
            tables::make_hook(tx, hook, key)?;
        }
        // What nobody published is not thrown away.
        if self.of_version.is_some() && flow.published.as_deref() == Some(&flow.draft) {
            tables::set_draft(tx, key, hash, now)?;
        }
        let before = flow.published.map(|hash| json!({"version": flow.version, "text": hash}));
        let mut after = json!({"version": number, "text": hash});
        if let Some(of_version) = self.of_version {
            after["ofVersion"] = of_version.into();
        }
        if let Some(note) = note {
            after["note"] = note.into();
        }
        audit::record(tx, actor, "publish", "flow", key, before.as_ref(), Some(&after), now)?;
        Ok(number)
    }
}

impl Flows {
    /// Makes the draft the version that runs from now on; returns its number.
    /// A draft that equals the published version changes nothing.
    pub async fn publish(&self, actor: &Actor, key: &str) -> Result<u64, Error> {
        self.publish_noted(actor, key, None).await
    }

    /// Publishes the draft, with what its publisher says about it.
    pub async fn publish_noted(&self, actor: &Actor, key: &str, note: Option<String>) -> Result<u64, Error> {
        let ready = self.ready_draft(actor, key).await?;
        self.write_ready(actor, ready, note).await
    }

    /// Publishes the text of an older version again, as a new one, and returns
    /// its number. It becomes the draft too, unless somebody has changed that
    /// since the last publication: what nobody published is not thrown away.
    pub async fn roll_back(&self, actor: &Actor, key: &str, version: u64, note: Option<String>) -> Result<u64, Error> {
        let ready = self.ready_version(key, version).await?;
        self.write_ready(actor, ready, note).await
    }

    async fn write_ready(&self, actor: &Actor, ready: Ready, note: Option<String>) -> Result<u64, Error> {
        let (actor, now) = (actor.clone(), self.clock.now());
        let ready = Arc::new(ready);
        let written = ready.clone();
        let number = self.db.write("flows.publish", move |tx| written.write(tx, &actor, note.as_deref(), now)).await?;
        self.settle(&ready).await?;
        Ok(number)
    }

    /// Checks a draft as it would be published.
    pub(super) async fn ready_draft(&self, actor: &Actor, key: &str) -> Result<Ready, Error> {
        let flow = self.flow(key).await?;
        let flow = self.with_names_of_today(actor, flow).await?;
        let hash = flow.draft.clone();
        self.ready(flow, hash, None).await
    }

    /// Checks an older version as it would be published again.
    pub(super) async fn ready_version(&self, key: &str, version: u64) -> Result<Ready, Error> {
        let flow = self.flow(key).await?;
        let hash = self.hash_of(&flow, Reading::Version(version)).await?;
        self.ready(flow, hash, Some(version)).await
    }

    async fn ready(&self, flow: FlowRow, hash: String, of_version: Option<u64>) -> Result<Ready, Error> {
        let program = self.program(&hash).await?;
        let errors: Vec<&Notice> = program.errors().collect();
        if let Some(first) = errors.first() {
            return Err(Error::NotRunnable { key: flow.key, first: first.to_string(), count: errors.len() });
        }
        let before = self.published(&flow).await?;
        let keeps_time = before.as_ref().is_some_and(|before| before.schedule == program.schedule);
        let next_at = first_time(&program, self.clock.now());
        let claim = self.claim_of(&flow.key, &program);
        Ok(Ready { flow, hash, program, before, claim, next_at, keeps_time, of_version })
    }

    /// Does what follows the transaction in which a version was written.
    pub(super) async fn settle(&self, ready: &Ready) -> Result<(), Error> {
        let Ready { flow, hash, program, before, .. } = ready;
        if flow.active && flow.published.as_deref() != Some(hash) {
            if before.as_ref().is_none_or(|before| before.start != program.start) {
                self.unwatch(&flow.key, before.as_deref()).await?;
            }
            self.watch(&flow.key, program).await?;
        }
        self.gate.forget();
        // Its time may be another now, and items may have waited for it.
        self.nudge.notify_one();
        Ok(())
    }

    /// Puts the draft again if the structures or webhooks that it names are others now.
    async fn with_names_of_today(&self, actor: &Actor, flow: FlowRow) -> Result<FlowRow, Error> {
        let text = self.text_of(&flow.draft).await?;
        let today = self.compiled_today(&text).await?;
        if today.is_ok_and(|today| today.hash == flow.draft) {
            return Ok(flow);
        }
        self.put(actor, &flow.key, &text).await?;
        self.flow(&flow.key).await
    }

    /// Lists the versions of a flow, the newest first.
    pub async fn versions(&self, key: &str) -> Result<Vec<FlowVersion>, Error> {
        let flow = self.flow(key).await?;
        let (key, current) = (key.to_owned(), flow.version);
        let versions = self.db.read("flows.versions", move |tx| tables::versions(tx, &key)).await?;
        let is_current = |version: FlowVersion| FlowVersion { current: Some(version.version) == current, ..version };
        Ok(versions.into_iter().map(|(version, _)| is_current(version)).collect())
    }

    /// Returns the text of a draft or version, as it was put.
    pub async fn text(&self, key: &str, reading: Reading) -> Result<String, Error> {
        let flow = self.flow(key).await?;
        let hash = self.hash_of(&flow, reading).await?;
        self.text_of(&hash).await
    }

    /// Tells what two texts of a flow differ in.
    pub async fn difference(&self, key: &str, from: Reading, to: Reading) -> Result<FlowDifference, Error> {
        let unreadable = |detail| Error::BadDocument { key: key.to_owned(), detail };
        let before = blueprint::document(&self.text(key, from).await?).map_err(unreadable)?;
        let after = blueprint::document(&self.text(key, to).await?).map_err(unreadable)?;
        Ok(difference(&before, &after))
    }

    pub(super) async fn hash_of(&self, flow: &FlowRow, reading: Reading) -> Result<String, Error> {
        let not_published = || Error::NotPublished { key: flow.key.clone() };
        let number = match reading {
            Reading::Draft => return Ok(flow.draft.clone()),
            Reading::Published => return flow.published.clone().ok_or_else(not_published),
            Reading::Version(number) => number,
        };
        let key = flow.key.clone();
        let versions = self.db.read("flows.versions", move |tx| tables::versions(tx, &key)).await?;
        let found = versions.into_iter().find(|(version, _)| version.version == number);
        found
            .map(|(_, hash)| hash)
            .ok_or_else(|| Error::UnknownVersion { of: format!("flow \"{}\"", flow.key), number })
    }

    pub(super) async fn text_of(&self, hash: &str) -> Result<String, Error> {
        let hash = hash.to_owned();
        Ok(self.db.read("flows.text", move |tx| tables::text(tx, &hash)).await?.unwrap_or_default())
    }
}
