//! What a barrier means beyond its run, decided from the machine's words, and
//! what becomes due because of it: attempts at incomplete executions, flows
//! that may go on, people who are to be told.

use base::db::Tx;
use base::error::chain;
use base::{Causes, Timestamp, audit};
use serde_json::json;

use super::advance::Whose;
use crate::engine::{Ending, Machine};
use crate::error::Error;
use crate::feedback::{FlowNotice, NoticeKind};
use crate::flows::{Flows, hook_of};
use crate::incomplete::NewIncomplete;
use crate::limits::Limits;
use crate::modules::{Class, ModuleError};
use crate::program::{Program, Start};
use crate::run::{RunId, STARTED_BY_RETRY};
use crate::tables::{self, Aftermath, End, Failure, IncompleteRow, StoreCommit};

/// Attempts that are started in one look at the agenda.
const RETRIES_AT_ONCE: usize = 100;

/// What became of an attempt that was to start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Attempt {
    /// Its run has started.
    Started(RunId),
    /// Another run of its sequential flow comes first.
    Blocked,
    /// It does not wait any more, or an attempt is under way.
    NotOpen,
}

/// Puts together what a barrier means beyond its run.
pub(super) fn aftermath(
    run: RunId,
    whose: &Whose,
    program: &Program,
    machine: &mut Machine,
    ending: Option<&Ending>,
    limits: &Limits,
) -> Aftermath {
    let incomplete = machine.take_incomplete();
    // Later cycles have been committed, and what was set aside goes on by
    // itself, however far it has come by now.
    let is_whole = machine.is_in_first_cycle() && !machine.has_set_aside();
    let hook = hook_of(&whose.flow, program).filter(|_| is_whole);
    Aftermath {
        started_by: whose.started_by.clone(),
        incomplete: incomplete
            .iter()
            .map(|each| NewIncomplete::new(run, each, program.is_confidential, limits))
            .collect(),
        incomplete_max: limits.incomplete_max,
        incomplete_bytes_max: limits.incomplete_bytes_max,
        drops_data: program.rules.drops_data,
        is_confidential: program.is_confidential,
        is_sequential: program.is_sequential,
        failed_attempts_max: limits.failed_attempts_max,
        failed_attempts_within: limits.failed_attempts_within,
        stores: (!program.rules.commits_at_once)
            .then(|| Box::new(StoreCommit { up_to: machine.committed(), limits: limits.stores.clone() })),
        end: ending.map(|ending| end(program, hook, ending, limits)),
    }
}

fn end(program: &Program, hook: Option<String>, ending: &Ending, limits: &Limits) -> End {
    let class = ending.error.as_ref().map(|error| error.class);
    let may_pass = class.is_some_and(Class::may_pass);
    // A directive that stops the run as an error counts as one.
    let counts = class.is_none_or(Class::counts);
    let is_instant = program.start != Start::Nothing && program.schedule.as_ref().is_none_or(|each| !each.is_timed());
    let rules = &program.rules;
    let errors_max = match is_instant {
        true => rules.instant_errors_max.unwrap_or(limits.instant_errors_max),
        false => rules.errors_max,
    };
    let first_delay = ending.error.as_ref().and_then(ModuleError::pause);
    let delays = limits.rerun_delays.iter().map(|delay| (*delay).max(first_delay.unwrap_or_default()));
    End {
        outcome: ending.outcome,
        reason: ending.reason.clone(),
        outputs: ending.outputs.as_ref().map(|outputs| outputs.to_stored().to_string()),
        failure: Failure {
            counts,
            errors_max,
            rerun_delays: if may_pass { delays.collect() } else { Vec::new() },
            is_final: class == Some(Class::InconsistencyError),
        },
        // The same data would fail in the same way for ever.
        returns_to: hook.filter(|_| rules.returns_items && (counts || may_pass)),
    }
}

impl Flows {
    /// Starts attempts that are due, lets flows go on whose time to wait is
    /// over, tells people what there is to tell; returns when there will be
    /// more to do.
    pub(super) async fn take_up_incomplete(&self) -> Result<Option<Timestamp>, Error> {
        let now = self.clock.now();
        let (mut due, next, untold) = self
            .db
            .read("flows.due_incomplete", move |tx| {
                let due = tables::due_incompletes(tx, now, &[], RETRIES_AT_ONCE)?;
                let next = [tables::next_incomplete(tx, now)?, tables::next_release(tx)?].into_iter().flatten().min();
                Ok::<_, Error>((due, next, tables::untold_notices(tx)?))
            })
            .await?;
        // What a sequential flow holds back, however much that is, must not
        // hold back the attempts of others.
        let mut blocked: Vec<String> = Vec::new();
        loop {
            let (is_whole, blocked_before) = (due.len() < RETRIES_AT_ONCE, blocked.len());
            for row in due {
                if blocked.contains(&row.info.flow) {
                    continue;
                }
                match self.start_attempt(&row, None).await {
                    Ok(Attempt::Blocked) => blocked.push(row.info.flow),
                    Ok(Attempt::Started(_) | Attempt::NotOpen) => {}
                    Err(error) => {
                        let id = row.info.id;
                        tracing::warn!(incomplete.id = %id, error = %chain(&error), "an attempt cannot be started");
                    }
                }
            }
            if is_whole || blocked.len() == blocked_before {
                break;
            }
            let others = blocked.clone();
            let look = move |tx: &mut dyn Tx| tables::due_incompletes(tx, now, &others, RETRIES_AT_ONCE);
            due = self.db.read("flows.due_incomplete", look).await?;
        }
        if next.is_some_and(|next| next <= now) {
            self.db.write("flows.release_held", move |tx| tables::release_held_flows(tx, now)).await?;
        }
        self.tell_of_flows_switched_off(untold).await?;
        Ok(next.filter(|next| *next > now))
    }

    /// Starts a run that goes on from an incomplete execution, with the
    /// version in which it failed or another one. Nothing is started while an
    /// attempt is under way, or another run of a sequential flow.
    pub(crate) async fn start_attempt(
        &self,
        row: &IncompleteRow,
        by: Option<(&base::Actor, &str)>,
    ) -> Result<Attempt, Error> {
        let flow = self.flow(&row.info.flow).await?;
        let version = by.map_or(row.info.version.as_str(), |(_, version)| version);
        let program = self.program(version).await?;
        let mut place: serde_json::Value = serde_json::from_str(&row.place).unwrap_or_default();
        if version != row.info.version {
            // Another request must not look like the one before.
            place["origin"] = serde_json::Value::Null;
        }
        let run = self.new_run(&flow, &program, STARTED_BY_RETRY);
        let (id, seen, input) = (run.id, row.info.clone(), json!([place]).to_string());
        let (is_sequential, actor) = (program.is_sequential, by.map(|(actor, _)| actor.clone()));
        self.db
            .write("flows.retry", move |tx| {
                if is_sequential && tables::has_live_run(tx, &run.flow)? {
                    return Ok(Attempt::Blocked);
                }
                if !tables::begin_attempt(tx, &seen, run.id, actor.is_some(), run.now)? {
                    return Ok(Attempt::NotOpen);
                }
                let causes = tables::run(tx, seen.run)?.map(|row| row.causes).unwrap_or_default();
                tables::insert_run(tx, &run, &input, &[Causes::together(&causes)])?;
                if let Some(actor) = &actor {
                    let (before, after) = (json!({"attempts": seen.attempts}), json!({"run": run.id}));
                    let id = seen.id.to_string();
                    audit::record(tx, actor, "retry", "incomplete", &id, Some(&before), Some(&after), run.now)?;
                }
                Ok::<_, Error>(Attempt::Started(id))
            })
            .await
    }

    /// Tells people of flows that were switched off, until they are told.
    async fn tell_of_flows_switched_off(&self, untold: Vec<(String, Timestamp, String)>) -> Result<(), Error> {
        for (flow, at, text) in untold {
            tracing::warn!(flow.key = flow, text, "a flow was switched off");
            if let Some(notices) = self.notices.get()
                && !notices.tell(FlowNotice { kind: NoticeKind::SwitchedOff, flow: flow.clone(), at, text }).await
            {
                continue;
            }
            self.db.write("flows.forget_notice", move |tx| tables::forget_notice(tx, &flow, at)).await?;
        }
        Ok(())
    }
}
