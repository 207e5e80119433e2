//! The verbs about runs, and the door through which items come.

use base::{Actor, Causes, audit};
use serde_json::{Value as Json, json};

use super::{Decision, Flows, known};
use crate::error::Error;
use crate::flow::Notice;
use crate::hook::Accepted;
use crate::program::Program;
use crate::run::{Counts, RunDetails, RunId, RunInfo};
use crate::tables::{self, FlowRow, NewRun};

impl Flows {
    /// Starts one run now with `input` as its start bundle: of the published
    /// version, or of the draft if there is none yet.
    pub async fn run_once(&self, actor: &Actor, key: &str, input: Json) -> Result<RunId, Error> {
        if !input.is_object() {
            return Err(Error::BadInput);
        }
        let flow = self.flow(key).await?;
        let program = self.program(flow.published.as_ref().unwrap_or(&flow.draft)).await?;
        let errors: Vec<&Notice> = program.errors().collect();
        if let Some(first) = errors.first() {
            return Err(Error::NotRunnable { key: key.to_owned(), first: first.to_string(), count: errors.len() });
        }
        let run = self.new_run(&flow, &program, "manual");
        let (id, actor, now) = (run.id, actor.clone(), run.now);
        self.db
            .write("flows.run_once", move |tx| {
                tables::insert_run(tx, &run, &json!([input]).to_string(), std::slice::from_ref(&actor.causes))?;
                let after = json!({"run": run.id});
                audit::record(tx, &actor, "run", "flow", &run.flow, None, Some(&after), now)?;
                Ok::<_, Error>(())
            })
            .await?;
        self.nudge.notify_one();
        Ok(id)
    }

    /// Brings an item to a hook; returns after it is durable. The same key is
    /// stored once. Refused with [`Error::Busy`] while the queue is full, and
    /// with [`Error::UnknownHook`] where no flow has ever had that hook.
    pub async fn accept(&self, hook: &str, key: &str, payload: Json) -> Result<Accepted, Error> {
        self.accept_caused(hook, key, payload, Causes::NONE).await
    }

    /// The same for an item of which it is known what led to it; the item
    /// itself is the last link.
    pub async fn accept_caused(&self, hook: &str, key: &str, payload: Json, causes: Causes) -> Result<Accepted, Error> {
        let (hook, key, payload) = (hook.to_owned(), key.to_owned(), payload.to_string());
        let (now, waiting_max) = (self.clock.now(), self.options.hook_queue_max);
        let accepted = self
            .db
            .write("flows.accept", move |tx| {
                let Some(waiting) = tables::waiting(tx, &hook)? else {
                    return Err(Error::UnknownHook { hook: hook.clone() });
                };
                if tables::has_item(tx, &hook, &key)? {
                    return Ok(Accepted::Known);
                }
                if waiting >= waiting_max {
                    return Err(Error::Busy { hook: hook.clone(), waiting });
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

    /// Returns a run with its operations.
    pub async fn run_details(&self, id: RunId) -> Result<RunDetails, Error> {
        self.db
            .read("flows.run_details", move |tx| {
                let row = tables::run(tx, id)?.ok_or(Error::UnknownRun { id })?;
                let input = serde_json::from_str(&row.input).unwrap_or_default();
                let operations = tables::operations(tx, id)?;
                Ok(RunDetails { info: row.info, input, causes: row.causes, operations })
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
