//! The verbs about the history of runs: finding, ending and forgetting them.

use std::sync::Arc;
use std::time::Duration;

use base::error::chain;
use base::{Actor, Timestamp, audit};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::{Flows, known};
use crate::error::Error;
use crate::history::{RunFacets, RunFilter, RunPage, Standing};
use crate::run::RunId;
use crate::tables;

/// Runs that are looked at for a text in one call.
const LOOKED_AT_MAX: u32 = 5_000;
/// Runs that are looked at together for old ones.
const LOOKED_AT_ONCE: u32 = 1_000;
/// Runs that are forgotten in one transaction.
const FORGOTTEN_AT_ONCE: usize = 100;
/// Pause between two looks for old runs.
const FORGET_EVERY: Duration = Duration::from_hours(1);

impl Flows {
    /// Returns the newest runs that are wanted, at most `limit`, only those
    /// before one of them if that is given.
    pub async fn find_runs(&self, filter: RunFilter, before: Option<RunId>, limit: u32) -> Result<RunPage, Error> {
        let now = self.clock.now();
        self.db
            .read("flows.find_runs", move |tx| {
                if let Some(flow) = &filter.flow {
                    known(tx, flow)?;
                }
                if filter.text.as_deref().is_some_and(|text| !text.is_empty()) {
                    let (runs, next) = tables::search_runs(tx, &filter, before, now, limit, LOOKED_AT_MAX)?;
                    return Ok(RunPage { runs, next });
                }
                let mut runs = tables::find_runs(tx, &filter, before, now, limit.saturating_add(1))?;
                let is_more = runs.len() > limit as usize;
                runs.truncate(limit as usize);
                let next = runs.last().filter(|_| is_more).map(|run| run.id);
                Ok(RunPage { runs, next })
            })
            .await
    }

    /// Counts what the choices of a filter would find. Its text plays no part:
    /// to search all runs for it would mean to read them all.
    pub async fn count_runs(&self, filter: RunFilter) -> Result<RunFacets, Error> {
        let now = self.clock.now();
        let read = self.db.read("flows.count_runs", move |tx| {
            Ok::<_, Error>(RunFacets::count(tables::alike_runs(tx, &filter, now)?, &filter))
        });
        read.await
    }

    /// Ends a run that has not ended, whether it is worked on, sleeps or is
    /// held. A wait ends at once. An effect in flight cannot be called back: it
    /// comes to its end, nothing after it is started, and the reason names it.
    pub async fn cancel(&self, actor: &Actor, id: RunId) -> Result<(), Error> {
        let (actor, now) = (actor.clone(), self.clock.now());
        let reason = self
            .db
            .write("flows.cancel", move |tx| {
                let row = tables::run(tx, id)?.ok_or(Error::UnknownRun { id })?;
                let before = row.info;
                let mut reason = format!("cancelled by {}", actor.name);
                match before.standing(now) {
                    Standing::Running => {
                        if let Some(asked) = row.asked.filter(|asked| asked.begun) {
                            reason += &format!("; what module {} asked for may still have happened", asked.module);
                        }
                    }
                    Standing::Held => reason += &format!("; it was held: {}", before.reason.as_deref().unwrap_or("")),
                    _ => {}
                }
                if !tables::cancel_run(tx, id, &reason, now)? {
                    return Err(Error::HasEnded { id });
                }
                let before = json!({"state": before.state, "reason": before.reason});
                let after = json!({"state": "ended", "outcome": "cancelled", "reason": reason});
                audit::record(tx, &actor, "cancel", "run", &id.to_string(), Some(&before), Some(&after), now)?;
                Ok(reason)
            })
            .await?;
        self.callers.tell(id, Vec::new(), Some(Err(reason)));
        self.cancelled.lock().push(id);
        self.nudge.notify_one();
        Ok(())
    }

    /// Forgets the runs that ended before a time, with all that was kept for
    /// them, some in each transaction; returns how many there were. Runs that
    /// have not ended stay, however old they are. With the runs go the items
    /// that began them: until then the same key is known, and not again.
    pub async fn forget_runs_before(&self, before: Timestamp) -> Result<u64, Error> {
        let (mut forgotten, mut after) = (0, None);
        loop {
            let look =
                self.db.read("flows.ended_runs", move |tx| tables::ended_before(tx, before, after, LOOKED_AT_ONCE));
            let (runs, next) = look.await?;
            let runs = Arc::new(runs);
            for place in (0..runs.len()).step_by(FORGOTTEN_AT_ONCE) {
                let runs = runs.clone();
                self.db
                    .write("flows.forget_runs", move |tx| {
                        for run in runs.iter().skip(place).take(FORGOTTEN_AT_ONCE) {
                            tables::forget_run(tx, run)?;
                        }
                        Ok::<_, Error>(())
                    })
                    .await?;
            }
            forgotten += runs.len() as u64;
            let Some(next) = next else { break };
            after = Some(next);
        }
        self.forget_items_before(before).await?;
        Ok(forgotten)
    }

    /// Forgets the items that came before a time and whose runs are forgotten.
    async fn forget_items_before(&self, before: Timestamp) -> Result<(), Error> {
        let hooks = self.db.read("flows.old_items", move |tx| tables::hooks_with_old_items(tx, before)).await?;
        for hook in hooks {
            let mut next = Some(0);
            while let Some(after) = next {
                let hook = hook.clone();
                let forget = self.db.write("flows.forget_items", move |tx| {
                    tables::forget_items(tx, &hook, before, after, LOOKED_AT_ONCE)
                });
                next = forget.await?.1;
            }
        }
        Ok(())
    }

    /// Forgets runs that are older than the history is kept, each hour, until
    /// told to stop.
    pub(crate) async fn forget_old_runs(&self, stop: &CancellationToken) {
        loop {
            let before = self.clock.now().minus(self.options.history);
            match self.forget_runs_before(before).await {
                Ok(0) => {}
                Ok(runs) => tracing::info!(runs, %before, "runs were forgotten"),
                Err(error) => tracing::warn!(error = %chain(&error), "old runs cannot be forgotten"),
            }
            if let Err(error) = self.forget_old_calls().await {
                tracing::warn!(error = %chain(&error), "old calls to workspaces cannot be forgotten");
            }
            if let Err(error) = self.tell_of_ends().await {
                tracing::warn!(error = %chain(&error), "the ends of connections cannot be told yet");
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(FORGET_EVERY) => {}
            }
        }
    }
}
