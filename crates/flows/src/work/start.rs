//! Starting runs: by schedules that are due, and from hooks on which items
//! wait.

use std::sync::Arc;

use base::db::Tx;
use base::error::chain;
use base::schedule::Taken;
use base::{Actor, Causes, audit};
use serde_json::json;

use super::advance::Held;
use super::begin::Begun;
use crate::callers::Callers;
use crate::error::Error;
use crate::feedback::{self, FlowNotice, NoticeKind};
use crate::flows::{Flows, hook_of};
use crate::program::{Program, Start};
use crate::run::RunId;
use crate::tables::{self, Agenda, FlowRow, Item, NewRun};

/// Runs that are started from one hook in one transaction.
const STARTS_AT_ONCE: usize = 100;
/// Items that are read at once to begin runs with, unless one run takes more.
const ITEMS_AT_ONCE: usize = 1_000;

impl Flows {
    /// Returns the published program of a flow, if it has one. One that can no longer be read
    /// must not keep all others from running, so it counts as none.
    pub(crate) async fn published(&self, flow: &FlowRow) -> Result<Option<Arc<Program>>, Error> {
        let Some(hash) = &flow.published else { return Ok(None) };
        match self.program(hash).await {
            Ok(program) => Ok(Some(program)),
            Err(error @ Error::BadDocument { .. }) => {
                tracing::error!(flow.key, error = %chain(&error), "a published flow can no longer be read");
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Starts runs for schedules, and for hooks as many as there is `room` for;
    /// returns those. While there is no room, items wait on
    /// their hook: that is where they are counted, and held back at the source.
    pub(super) async fn start_runs(&self, agenda: &Agenda, room: usize) -> Result<Vec<Started>, Error> {
        let mut started = Vec::new();
        for flow in &agenda.schedules {
            started.extend(self.start_scheduled(flow).await?.map(Started::Unwalked));
        }
        for (hook, flow) in &agenda.hooks {
            let room = room.saturating_sub(started.len());
            if room > 0 {
                started.extend(self.start_from_hook(hook, flow, room).await?);
            }
        }
        self.tell_of_pauses().await?;
        Ok(started)
    }

    async fn start_scheduled(&self, flow: &FlowRow) -> Result<Option<RunId>, Error> {
        let (Some(program), Some(due)) = (self.published(flow).await?, flow.next_at) else { return Ok(None) };
        let run = self.new_run(flow, &program, "schedule");
        let never = Taken { happens: false, next: None };
        let Taken { happens, next } = program.schedule.as_ref().map_or(never, |it| it.take(due, run.now));
        let is_sequential = program.is_sequential;
        // Items that wait for the schedule are taken now, as many as a run takes.
        let waits = matches!(program.start, Start::Webhook { .. }) && !program.takes_at_once();
        let queue = hook_of(&flow.key, &program).zip(program.start.results_max()).filter(|_| waits);
        let (callers, returns_max) = (self.callers.clone(), self.options.returns_per_hour_max);
        self.db
            .write("flows.start_scheduled", move |tx| {
                if !tables::move_schedule(tx, &run.flow, due, next)? {
                    return Ok(None);
                }
                if !happens || (is_sequential && tables::has_open_run(tx, &run.flow)?) {
                    return Ok(None);
                }
                if let Some((hook, results_max)) = &queue {
                    let begun = begin_from_hook(tx, &run, hook, *results_max, returns_max, &callers)?;
                    return Ok((begun == Came::Run).then_some(run.id));
                }
                tables::insert_run_in_hand(tx, &run, "[{}]", &[])?;
                Ok::<_, Error>(Some(run.id))
            })
            .await
    }

    async fn start_from_hook(&self, hook: &str, flow: &FlowRow, room: usize) -> Result<Vec<Started>, Error> {
        let Some(program) = self.published(flow).await? else { return Ok(Vec::new()) };
        // A version that starts on something else leaves the queue alone.
        if hook_of(&flow.key, &program).as_deref() != Some(hook) {
            return Ok(Vec::new());
        }
        let Some(results_max) = program.start.results_max().filter(|_| program.takes_at_once()) else {
            return Ok(Vec::new());
        };
        let is_sequential = program.is_sequential;
        let starts = if is_sequential { 1 } else { STARTS_AT_ONCE.min(room) };
        // Of a confidential run the operations are stored with its end.
        if !is_sequential && !program.is_confidential {
            let items_max = (results_max as usize).saturating_mul(starts).min(ITEMS_AT_ONCE).max(results_max as usize);
            let walked = self.walk_from_hook(hook, flow, &program, results_max as usize, items_max).await?;
            if !walked.is_empty() {
                return self.start_walked(hook, flow, walked).await;
            }
        }
        let runs: Vec<_> = (0..starts).map(|_| self.new_run(flow, &program, program.start.word())).collect();
        let (hook, returns_max) = (hook.to_owned(), self.options.returns_per_hour_max);
        let callers = self.callers.clone();
        let started = self
            .db
            .write("flows.start_from_hook", move |tx| {
                let mut started = Vec::new();
                for run in &runs {
                    if is_sequential && tables::has_open_run(tx, &run.flow)? {
                        break;
                    }
                    match begin_from_hook(tx, run, &hook, results_max, returns_max, &callers)? {
                        Came::Run => started.push(run.id),
                        Came::Pause | Came::Nothing => break,
                    }
                }
                Ok::<_, Error>(started)
            })
            .await?;
        Ok(started.into_iter().map(Started::Unwalked).collect())
    }

    /// Walks runs with the oldest items of a hook, up to the first that must be
    /// written before it walks.
    async fn walk_from_hook(
        &self,
        hook: &str,
        flow: &FlowRow,
        program: &Arc<Program>,
        results_max: usize,
        items_max: usize,
    ) -> Result<Vec<(Begun, Vec<Item>)>, Error> {
        let (asked, items_max) = (hook.to_owned(), u32::try_from(items_max).unwrap_or(u32::MAX));
        let read = move |tx: &mut dyn Tx| tables::waiting_items(tx, &asked, items_max);
        let mut items = self.db.read("flows.waiting_items", read).await?.into_iter();
        let mut walked = Vec::new();
        loop {
            let of_run: Vec<Item> = items.by_ref().take(results_max).collect();
            // A flow that comes back to itself is counted where it begins.
            if of_run.is_empty() || of_run.iter().any(|item| item.causes.returned().is_some()) {
                return Ok(walked);
            }
            let bundles: Result<Vec<_>, _> = of_run.iter().map(|item| serde_json::from_str(&item.payload)).collect();
            let begun = bundles.ok().and_then(|bundles| self.begin(flow, program, &bundles));
            let Some(begun) = begun else { return Ok(walked) };
            walked.push((begun, of_run));
        }
    }

    /// Writes runs that have walked, if things are as they were seen: their
    /// items still wait, and nothing waits before them.
    async fn start_walked(
        &self,
        hook: &str,
        flow: &FlowRow,
        walked: Vec<(Begun, Vec<Item>)>,
    ) -> Result<Vec<Started>, Error> {
        let mut rows = Vec::new();
        let mut begun = Vec::new();
        for (run, items) in walked {
            let payloads: Vec<&str> = items.iter().map(|item| item.payload.as_str()).collect();
            let bytes: usize = payloads.iter().map(|payload| payload.len()).sum();
            let input = format!("[{}]", payloads.join(","));
            let causes: Vec<Causes> = items.iter().map(|item| item.causes.clone()).collect();
            let (numbers, keys): (Vec<u64>, Vec<String>) =
                items.into_iter().map(|item| (item.number, item.key)).unzip();
            rows.push((run.row(input, causes.clone()), numbers, bytes, keys));
            begun.push((run, causes));
        }
        let (hook, seen, callers) = (hook.to_owned(), flow.clone(), self.callers.clone());
        let written = self.db.write("flows.start_walked", move |tx| {
            let first = rows.first().and_then(|(_, numbers, ..)| numbers.first().copied());
            let is_as_seen = tables::waiting_as_seen(tx, &hook, &seen)?.is_some();
            if !is_as_seen || tables::oldest_waiting(tx, &hook)? != first {
                return Ok(0);
            }
            for (place, (row, numbers, bytes, keys)) in rows.iter().enumerate() {
                if tables::take_items(tx, &hook, row.id(), numbers, *bytes)? != numbers.len() {
                    return Err(Error::Database(base::db::Error::Failed {
                        detail: format!("run {place} of a backlog found its items taken"),
                    }));
                }
                callers.took(row.id(), &hook, keys.iter().map(String::as_str));
                row.insert(tx)?;
            }
            Ok::<_, Error>(rows.len())
        });
        let written = written.await?;
        if written == 0 {
            // Things are otherwise than they were seen a moment ago.
            self.nudge.notify_one();
        }
        let started = begun.into_iter().take(written).map(|(run, causes)| self.has_begun(run, causes));
        Ok(started.map(|held| held.map_or(Started::Ended, |held| Started::Walked(Box::new(held)))).collect())
    }

    /// Tells people of flows that were paused, until they are told.
    async fn tell_of_pauses(&self) -> Result<(), Error> {
        for (flow, at, text) in self.db.read("flows.untold", tables::untold).await? {
            tracing::warn!(flow.key = flow, text, "a flow feeds itself and is paused");
            if let Some(notices) = self.notices.get()
                && !notices.tell(FlowNotice { kind: NoticeKind::Paused, flow: flow.clone(), at, text }).await
            {
                continue;
            }
            self.gate.forget();
            self.db.write("flows.told", move |tx| tables::set_told(tx, &flow, at)).await?;
        }
        Ok(())
    }
}

/// A run that has started.
pub(super) enum Started {
    /// It is in hand, and to be loaded.
    Unwalked(RunId),
    /// It is in hand, and stands at its first effect.
    Walked(Box<Held>),
    /// It came to its end without one.
    Ended,
}

/// What became of a run that was to begin with items of a hook.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Came {
    /// It began.
    Run,
    /// Its flow feeds itself and was paused instead.
    Pause,
    /// There were no items.
    Nothing,
}

/// Begins a run with the oldest items of a hook, and lets those who wait for
/// an answer know which run has theirs.
fn begin_from_hook(
    tx: &mut dyn Tx,
    run: &NewRun,
    hook: &str,
    results_max: u32,
    returns_max: u64,
    callers: &Callers,
) -> Result<Came, Error> {
    let (items, found) = feedback::starting(tx, &run.flow, hook, results_max, returns_max, run.now)?;
    if !items.is_empty() {
        let numbers: Vec<u64> = items.iter().map(|item| item.number).collect();
        let bytes = items.iter().map(|item| item.payload.len()).sum();
        tables::take_items(tx, hook, run.id, &numbers, bytes)?;
        callers.took(run.id, hook, items.iter().map(|item| item.key.as_str()));
        let (payloads, causes): (Vec<_>, Vec<_>) = items.into_iter().map(|item| (item.payload, item.causes)).unzip();
        tables::insert_run_in_hand(tx, run, &format!("[{}]", payloads.join(",")), &causes)?;
        return Ok(Came::Run);
    }
    let Some(found) = found else { return Ok(Came::Nothing) };
    // What came before it has started with another run.
    let waiting = tables::waiting(tx, hook)?.unwrap_or(0);
    pause(tx, run, &found.text(&run.flow, waiting))?;
    Ok(Came::Pause)
}

/// Pauses the flow of a run that is not started.
fn pause(tx: &mut dyn Tx, run: &NewRun, why: &str) -> Result<(), Error> {
    tables::pause(tx, &run.flow, why, run.now)?;
    tables::insert_unstarted(tx, run, why)?;
    let actor = Actor::system("flows");
    let (before, after) = (json!({"active": true}), json!({"active": true, "paused": why}));
    audit::record(tx, &actor, "pause", "flow", &run.flow, Some(&before), Some(&after), run.now)?;
    Ok(())
}
