//! The verbs about runs, and the door through which items come.

use base::{Actor, Causes, audit};
use serde_json::{Value as Json, json};

use super::{Decision, Flows, known};
use crate::engine::shared;
use crate::error::Error;
use crate::hook::Accepted;
use crate::program::Program;
use crate::run::{Counts, RunId, RunInfo};
use crate::tables::{self, FlowRow, NewRun, Queue};

impl Flows {
    /// Brings an item to a hook; returns after it is durable. The same key is
    /// stored once. Refused with [`Error::Busy`] while the queue is full, and
    /// with [`Error::UnknownHook`] where no flow has ever had that hook.
    pub async fn accept(&self, hook: &str, key: &str, payload: Json) -> Result<Accepted, Error> {
        self.accept_caused(hook, key, payload, Causes::NONE).await
    }

    /// The same for an item of which it is known what led to it; the item
    /// itself is the last link.
    pub async fn accept_caused(&self, hook: &str, key: &str, payload: Json, causes: Causes) -> Result<Accepted, Error> {
        self.accept_keyed(hook, key, true, payload, causes).await
    }

    /// The same; `is_named` tells whether the key is one that may come again.
    pub(crate) async fn accept_keyed(
        &self,
        hook: &str,
        key: &str,
        is_named: bool,
        payload: Json,
        causes: Causes,
    ) -> Result<Accepted, Error> {
        if let Some(accepted) = self.accept_at_once(hook, key, is_named, &payload, &causes).await? {
            return Ok(accepted);
        }
        let (hook, key, payload) = (hook.to_owned(), key.to_owned(), payload.to_string());
        let now = self.clock.now();
        let (items_max, bytes_max) = (self.options.hook_queue_max, self.options.hook_queue_bytes_max);
        let accepted = self
            .db
            .write("flows.accept", move |tx| {
                let Some(queue) = tables::queue(tx, &hook)? else {
                    return Err(Error::UnknownHook { hook: hook.clone() });
                };
                if tables::has_item(tx, &hook, &key)? {
                    return Ok(Accepted::Known);
                }
                if !queue.has_room(payload.len(), items_max, bytes_max) {
                    let Queue { items: waiting, bytes: waiting_bytes } = queue;
                    return Err(Error::Busy { hook: hook.clone(), waiting, waiting_bytes });
                }
                tables::add_item(tx, &hook, &key, &payload, &causes, now)?;
                Ok(Accepted::Stored)
            })
            .await?;
        self.nudge.notify_one();
        Ok(accepted)
    }

    /// Returns the latest runs of a flow, newest first, at most `limit`.
    pub async fn runs(&self, key: &str, limit: u32) -> Result<Vec<RunInfo>, Error> {
        let key = key.to_owned();
        self.db
            .read("flows.runs", move |tx| {
                known(tx, &key)?;
                Ok(tables::runs(tx, &key, limit)?)
            })
            .await
    }

    /// Takes a person's decision about a run that is in doubt or parked.
    pub async fn decide(&self, actor: &Actor, id: RunId, decision: Decision) -> Result<(), Error> {
        let (actor, now) = (actor.clone(), self.clock.now());
        self.db
            .write("flows.decide", move |tx| {
                let before = tables::run(tx, id)?.ok_or(Error::UnknownRun { id })?.info;
                let (verb, held) = match decision {
                    Decision::Repeat => ("repeat", tables::release(tx, id, now)?),
                    Decision::Abandon => ("abandon", tables::abandon(tx, id, now)?),
                };
                if !held {
                    return Err(Error::NotHeld { id });
                }
                let before = json!({"state": before.state, "reason": before.reason});
                audit::record(tx, &actor, verb, "run", &id.to_string(), Some(&before), None, now)?;
                Ok(())
            })
            .await?;
        if decision == Decision::Abandon {
            self.callers.tell(id, Vec::new(), Some(Err("a person has ended the run".to_owned())));
        }
        self.nudge.notify_one();
        Ok(())
    }

    /// Counts runs by how they stand, over all flows.
    pub async fn counts(&self) -> Result<Counts, Error> {
        Ok(self.db.read("flows.counts", tables::counts).await?)
    }

    /// Makes a run of `program` with the flow's variables of this moment.
    pub(crate) fn new_run(&self, flow: &FlowRow, program: &Program, started_by: &'static str) -> NewRun {
        let now = self.clock.now();
        let mut variables = program.variables.clone();
        if let Ok(Json::Object(set)) = serde_json::from_str::<Json>(&flow.variables) {
            variables.extend(set);
        }
        shared::add(&mut variables, &flow.shared);
        NewRun {
            id: RunId::new(now, &*self.chance),
            flow: flow.key.clone(),
            version: program.hash.clone(),
            started_by,
            variables: Json::Object(variables).to_string(),
            seed: self.chance.number(),
            now,
        }
    }
}

impl Queue {
    /// Tells whether an item of so many bytes may wait too. What is longer
    /// than everything that may wait would never get in behind others, so it
    /// may wait alone.
    fn has_room(self, bytes: usize, items_max: u64, bytes_max: u64) -> bool {
        let is_alone = self.items == 0;
        self.items < items_max && (is_alone || self.bytes.saturating_add(bytes as u64) <= bytes_max)
    }
}
