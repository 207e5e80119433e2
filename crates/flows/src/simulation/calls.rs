//! Flows that call one another: every call has one run, and whoever waits is
//! woken.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use base::db::{self, Value};
use base::{Clock, args};

use super::reference::{Called, Child, Name, Told, name_of};
use super::report::{Property, broken};
use super::world::World;
use crate::run::{RunDetails, RunId, STARTED_BY_FLOW};
use crate::tables::IN_HAND;

/// Nobody sleeps so long but who waits for another flow.
const LONG: Duration = Duration::from_mins(30);

/// What is known of calls when all runs have been told of.
#[derive(Default)]
pub(super) struct Calls {
    /// Runs of called flows.
    pub(super) children: HashMap<Name, Child>,
    called: BTreeMap<Name, (RunId, Called)>,
}

impl Calls {
    /// Notes what a run has called, and that others may have called it.
    pub(super) fn note(&mut self, run: &RunDetails, told: &Told) {
        for call in &told.calls {
            self.called.insert(call.child.clone(), (run.info.id, call.clone()));
        }
        if run.info.started_by == STARTED_BY_FLOW {
            let info = &run.info;
            let child =
                Child { id: info.id, outcome: info.outcome, ended_at: info.ended_at, outputs: told.outputs.clone() };
            self.children.insert(name_of(info.id), child);
        }
    }
}

impl World {
    async fn ids(&self, sql: &'static str, args: &[Value]) -> Option<BTreeSet<RunId>> {
        let args = args.to_vec();
        let read = self.db.read("simulation.ids", move |tx| {
            tx.query(sql, &args)?.iter().map(|row| row.get(0)).collect::<Result<_, db::Error>>()
        });
        read.await.ok()
    }

    /// Returns the runs that a run has started.
    pub(super) async fn called_by(&self, run: RunId) -> Option<BTreeSet<RunId>> {
        self.ids("SELECT child FROM flow_calls WHERE caller = $1", args![run]).await
    }

    /// Looks that nobody sleeps on whose child has ended: the commit that ends
    /// it wakes who waits for it.
    pub(super) async fn see_callers(&self, when: &str) {
        let sql = "SELECT id FROM runs WHERE state = 'live' AND wakes_at > $1 AND wakes_at < $2 \
                   AND NOT EXISTS (SELECT 1 FROM flow_calls JOIN runs AS child ON child.id = flow_calls.child \
                   WHERE flow_calls.caller = runs.id AND flow_calls.waits = 1 AND child.state <> 'ended')";
        let forgotten = self.ids(sql, args![self.clock.now().plus(LONG), IN_HAND]).await.unwrap_or_default();
        if let Some(run) = forgotten.first() {
            broken(Property::Liveness, format!("{when}: {run} sleeps, and nothing is left that it waits for"));
        }
    }

    /// Compares the runs that were started by flows with the calls.
    pub(super) fn judge_calls(&mut self, runs: &[RunDetails], calls: &Calls) {
        for run in runs.iter().filter(|run| run.info.started_by == STARTED_BY_FLOW) {
            let id = run.info.id;
            let Some((caller, call)) = calls.called.get(&name_of(id)) else {
                broken(Property::Once, format!("{id} of {} was called by nobody", run.info.flow));
            };
            self.report.count("called", "runs", 1);
            let wanted = (&call.flow, std::slice::from_ref(&call.input));
            if wanted != (&run.info.flow, &run.input[..]) {
                let found = (&run.info.flow, &run.input);
                broken(Property::Story, format!("{caller} called {wanted:?}, and {id} is {found:?}"));
            }
            let at_most = self.runs[caller].called_at_most.as_ref();
            if at_most.is_some_and(|at_most| !at_most.contains(&id)) {
                broken(Property::Ending, format!("{caller} was cancelled, and has called {id} since"));
            }
        }
    }
}
