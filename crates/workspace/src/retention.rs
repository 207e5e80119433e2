//! Runs go when they are old.
//!
//! A run is kept for a time after its end, with its output, and then goes with
//! all that is known of it. Its idempotency token alone stays: the same token
//! must never make another run.

use std::time::Duration;

use base::Timestamp;
use base::error::chain;
use tracing::{info, warn};

use crate::RunId;
use crate::error::Error;
use crate::tables;
use crate::workspace::Workspace;

/// How often old runs are looked for.
const EVERY: Duration = Duration::from_hours(1);
/// Runs that go in one transaction.
const AT_ONCE: usize = 100;

/// Tells whether a run that ended at a time goes.
pub(crate) fn is_old(ended_at: Option<Timestamp>, kept: Duration, now: Timestamp) -> bool {
    ended_at.is_some_and(|ended_at| ended_at.plus(kept) <= now)
}

/// When old runs are looked for next.
#[derive(Debug, Default)]
pub(crate) struct Sweeping {
    next: Option<Timestamp>,
}

impl Sweeping {
    /// Tells whether it is time; if so, the next time is later.
    pub(crate) fn is_due(&mut self, now: Timestamp) -> bool {
        // A clock that was set back does not put it off for long.
        let is_due = self.next.is_none_or(|next| next <= now || now.plus(EVERY) < next);
        if is_due {
            self.next = Some(now.plus(EVERY));
        }
        is_due
    }

    /// Returns how long there is until then.
    pub(crate) fn rest(&self, now: Timestamp) -> Duration {
        self.next.map_or(Duration::ZERO, |next| next.since(now))
    }
}

impl Workspace {
    /// Removes what is old; what the database refuses is removed another time.
    pub(crate) async fn sweep_runs(&self) {
        match self.remove_old_runs().await {
            Ok(0) => {}
            Ok(runs) => info!(runs, "job runs that ended long ago are removed"),
            Err(error) => warn!(error = %chain(&error), "old job runs cannot be removed"),
        }
    }

    async fn remove_old_runs(&self) -> Result<usize, Error> {
        let (kept, now) = (self.options.runs_kept, self.clock.now());
        let mut count = 0;
        loop {
            let gone = self
                .db
                .write("workspace.sweep_runs", move |tx| {
                    let mut gone: Vec<RunId> = Vec::new();
                    for (run, ended_at) in tables::runs_ended_by(tx, now.minus(kept), AT_ONCE)? {
                        if is_old(ended_at, kept, now) {
                            tables::delete_run(tx, run)?;
                            gone.push(run);
                        }
                    }
                    Ok::<_, Error>(gone)
                })
                .await?;
            for run in &gone {
                self.remove_output(*run).await;
            }
            count += gone.len();
            if gone.len() < AT_ONCE {
                break;
            }
        }
        if count > 0 {
            self.tell_of_changes();
        }
        Ok(count)
    }

    /// Removes the folder of a run that is gone. What stays behind after a
    /// crash here is only files that no row names.
    pub(crate) async fn remove_output(&self, run: RunId) {
        let folder = self.run_folder(run);
        let removed = tokio::task::spawn_blocking(move || std::fs::remove_dir_all(folder)).await;
        if let Ok(Err(error)) = removed
            && error.kind() != std::io::ErrorKind::NotFound
        {
            warn!(run.id = %run, %error, "the output of a deleted run stays on disk");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_old_when_its_time_has_passed_since_its_end() {
        let (day, kept) = (Duration::from_hours(24), Duration::from_hours(60 * 24));
        let now = Timestamp::EPOCH.plus(kept);
        for (ended_at, expected) in [
            (None, false),
            (Some(Timestamp::EPOCH), true),
            (Some(Timestamp::EPOCH.plus(day)), false),
            (Some(now.plus(day)), false),
        ] {
            assert_eq!(is_old(ended_at, kept, now), expected, "{ended_at:?}");
        }
    }

    #[test]
    fn it_is_looked_for_once_an_hour() {
        let mut sweeping = Sweeping::default();
        let at = |minutes: u64| Timestamp::EPOCH.plus(Duration::from_mins(minutes));
        let told = [100, 101, 159, 160, 20, 21].map(|minutes| sweeping.is_due(at(minutes)));
        assert_eq!(told, [true, false, false, true, true, false]);
        assert_eq!(sweeping.rest(at(50)), Duration::from_mins(30));
    }
}
