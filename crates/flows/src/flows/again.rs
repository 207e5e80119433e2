//! The verbs that run again what ran before: from its start, or from one of its
//! operations on, with what was there or with what a person has corrected.

use std::collections::BTreeMap;
use std::sync::Arc;

use base::Actor;
use serde_json::{Value as Json, json};

use super::start::{filled, must_run};
use super::{Flows, Which, known};
use crate::error::Error;
use crate::modules::Behaviour;
use crate::program::Program;
use crate::run::{Operation, OperationStatus, RunId, STARTED_BY_OPERATION, goes_on};
use crate::tables::{self, FlowRow, RunRow};
use crate::value::Value;

/// From where an earlier run is run again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StartingAt {
    /// With what it began with.
    #[default]
    Start,
    /// From the operation that failed last.
    Failure,
    /// From the operation of this number.
    Operation(u64),
}

/// How an earlier run is run again.
#[derive(Clone, Debug, Default)]
pub struct Again {
    /// Which text; nothing for the version that the earlier run ran.
    pub which: Option<Which>,
    /// From where.
    pub at: StartingAt,
    /// Other start bundles than those of the earlier run.
    pub input: Option<Vec<Json>>,
    /// Other bundles than modules gave, by their ids; only where it goes on
    /// from an operation behind them.
    pub bundles: BTreeMap<u32, Json>,
}

impl Flows {
    /// Runs again what an earlier run did. What it did outside is done again
    /// from there on, under new keys.
    ///
    /// A run that goes on from an operation has the bundles that could be seen
    /// there, and follows this one: siblings in the loops around it do not come
    /// again, and aggregators behind it collect what comes of this bundle.
    pub async fn run_again(&self, actor: &Actor, id: RunId, again: &Again) -> Result<RunId, Error> {
        let (old, flow) = self
            .db
            .read("flows.replay", move |tx| {
                let old = tables::run(tx, id)?.ok_or(Error::UnknownRun { id })?;
                let flow = known(tx, &old.info.flow)?;
                Ok::<_, Error>((old, flow))
            })
            .await?;
        let program = match again.which {
            None => self.program(&old.info.version).await?,
            Some(which) => self.program(flow.text(which)?).await?,
        };
        must_run(&flow.key, &program)?;
        let refuse = |detail: String| Err(Error::NotReplayable { id, detail });
        let operation = match again.at {
            StartingAt::Start => None,
            at => self.operation_of(id, at).await?,
        };
        match operation {
            Some(_) if again.input.is_some() => refuse("an input is for a run from the start; give bundles".into()),
            Some(operation) => {
                self.again_from_operation(actor, &old, &flow, &program, &operation, &again.bundles).await
            }
            None if !again.bundles.is_empty() => {
                refuse("bundles are for a run from an operation; give an input".into())
            }
            None => self.again_from_start(actor, old, &flow, &program, again).await,
        }
    }

    /// Returns the operation that is meant; nothing if it is the one that
    /// begins the run.
    async fn operation_of(&self, id: RunId, at: StartingAt) -> Result<Option<Operation>, Error> {
        let refuse = |detail: String| Error::NotReplayable { id, detail };
        let details = self.run_details(id).await?;
        let operations = &details.operations;
        let found = match at {
            StartingAt::Operation(number) => {
                let found = operations.iter().find(|operation| operation.number == number);
                found.ok_or_else(|| refuse(format!("it has no operation {number}")))?
            }
            _ => {
                let failed = operations.iter().rposition(|operation| operation.status == OperationStatus::Error);
                let bad = || operations.iter().rposition(|operation| operation.status == OperationStatus::Warning);
                let place = failed.or_else(bad).ok_or_else(|| refuse("none of its operations failed".into()))?;
                &operations[place]
            }
        };
        let behaviour = crate::modules::find(&found.kind).map(|module| module.behaviour);
        match behaviour {
            Some(Behaviour::Start(_)) => Ok(None),
            Some(Behaviour::Aggregator(_) | Behaviour::Merge) => {
                let detail = "what it collected is not kept; choose an operation before it";
                Err(refuse(format!("operation {} is of {}: {detail}", found.number, found.kind)))
            }
            _ => Ok(Some(found.clone())),
        }
    }

    async fn again_from_start(
        &self,
        actor: &Actor,
        old: RunRow,
        flow: &FlowRow,
        program: &Arc<Program>,
        again: &Again,
    ) -> Result<RunId, Error> {
        let id = old.info.id;
        let mut bundles: Vec<Json> = serde_json::from_str(&old.input).unwrap_or_default();
        // A run that went on in the middle of another has no start of its own.
        let is_lost = bundles.is_empty() || goes_on(&old.info.started_by);
        match &again.input {
            Some(input) if !input.is_empty() && input.iter().all(Json::is_object) => bundles.clone_from(input),
            Some(_) => return Err(Error::BadInput),
            None if is_lost => return Err(Error::NoInput { id }),
            None => {}
        }
        if again.which.is_some() || again.input.is_some() {
            bundles = bundles.into_iter().map(|bundle| filled(&flow.key, program, bundle)).collect::<Result<_, _>>()?;
        }
        let is_as_before = old.causes.len() == bundles.len();
        let causes = if is_as_before { old.causes } else { vec![actor.causes.clone(); bundles.len()] };
        let run = self.new_run(flow, program, "replay");
        let after = json!({"run": run.id, "of": id, "version": run.version, "edited": again.input.is_some()});
        self.insert(actor, run, Json::from(bundles).to_string(), causes, None, "replay", after).await
    }

    async fn again_from_operation(
        &self,
        actor: &Actor,
        old: &RunRow,
        flow: &FlowRow,
        program: &Arc<Program>,
        operation: &Operation,
        bundles: &BTreeMap<u32, Json>,
    ) -> Result<RunId, Error> {
        let id = old.info.id;
        let refuse = |detail: String| Err(Error::NotReplayable { id, detail });
        if !program.steps.iter().any(|step| step.id == operation.module) {
            return refuse(format!("the version to run has no module {}", operation.module));
        }
        let mut place = self.place_of(id, operation).await?;
        for (module, bundle) in bundles {
            let Some((_, seen)) = place.bundles.iter_mut().rfind(|(seen, _)| seen == module) else {
                return refuse(format!("module {} does not see a bundle of module {module}", operation.module));
            };
            if !bundle.is_object() {
                return refuse(format!("the bundle of module {module} is no object"));
            }
            *seen = Value::from_json(bundle.clone());
        }
        let causes = vec![actor.causes.clone()];
        let run = self.new_run(flow, program, STARTED_BY_OPERATION);
        let edited: Vec<u32> = bundles.keys().copied().collect();
        let after = json!({
            "run": run.id, "of": id, "operation": operation.number, "version": run.version, "edited": edited,
        });
        let input = json!([place.to_stored()]).to_string();
        self.insert(actor, run, input, causes, None, "replay", after).await
    }
}
