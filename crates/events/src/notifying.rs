//! Sending notices: a chore of the engine, off the way of deliveries.
//!
//! Notices are sent in the order in which they were written, in batches. What
//! the notifier cannot take for the moment holds up those behind it, and is
//! tried again with growing pauses, up to an hour. What it will never take is
//! given up, with the reason: one address that is wrong must not keep the
//! others from hearing anything.

use std::sync::Arc;
use std::time::Duration;

use base::db::{Control, Db, Error};
use base::{Clock, Timestamp};

use crate::notice::{Notice, Notifier, NotifyFailed};
use crate::tables;

/// Notices in a batch at most.
const NOTICES_MAX: usize = 200;
/// The notifier must have taken a batch, or refused it, within this time.
const NOTIFY_TIMEOUT: Duration = Duration::from_mins(1);
/// Pauses after failures double from here …
const PAUSE_FIRST: Duration = Duration::from_mins(1);
/// … up to here.
const PAUSE_MAX: Duration = Duration::from_hours(1);

/// What became of a notice that the notifier was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Sent {
    /// It has been taken.
    Taken,
    /// It waits for another attempt.
    Again {
        /// Not before.
        due: Timestamp,
        detail: String,
    },
    /// It will never be.
    GivenUp { detail: String },
}

/// A notice that waits.
#[derive(Clone, Debug)]
pub(crate) struct Waiting {
    pub(crate) notice: Notice,
    /// Attempts that failed.
    pub(crate) attempts: u32,
    /// It may be tried again at this time.
    pub(crate) due: Timestamp,
}

/// Sends what waits and is due; tells when there is more to be sent, if there
/// is.
pub(crate) async fn tell(
    db: Db<Control>,
    notifier: Arc<dyn Notifier>,
    clock: Arc<dyn Clock>,
) -> Result<Option<Timestamp>, Error> {
    let waiting = db.read("events.notices_waiting", |tx| tables::notices_waiting(tx, NOTICES_MAX)).await?;
    let Some(first) = waiting.first() else { return Ok(None) };
    let now = clock.now();
    // The clock may have been set back since then.
    if first.attempts > 0 && first.due > now && first.due <= now.plus(PAUSE_MAX) {
        return Ok(Some(first.due));
    }
    let sent = Arc::new(hand_over(&*notifier, &*clock, &waiting).await);
    let settled = clock.now();
    let (db_sent, next) = (sent.clone(), sent.last().map(|(_, sent)| sent.clone()));
    db.write("events.notices_sent", move |tx| tables::settle_notices(tx, &db_sent, settled)).await?;
    Ok(match next {
        Some(Sent::Again { due, .. }) => Some(due),
        _ if waiting.len() == NOTICES_MAX => Some(settled),
        // Whoever writes one says so himself.
        _ => None,
    })
}

/// Gives the notifier a batch; if it will never take that, one after the other.
async fn hand_over(notifier: &dyn Notifier, clock: &dyn Clock, waiting: &[Waiting]) -> Vec<(u64, Sent)> {
    let ids = |sent: Sent| waiting.iter().map(move |waiting| (waiting.notice.id, sent.clone())).collect();
    let attempts = waiting.first().map_or(0, |first| first.attempts);
    let again = |detail: String| Sent::Again { due: clock.now().plus(pause_after(attempts + 1)), detail };
    match notify(notifier, waiting.iter().map(|waiting| waiting.notice.clone()).collect()).await {
        Ok(()) => return ids(Sent::Taken),
        Err(failed) if failed.transient => {
            tracing::warn!(reason = failed.detail, notices = waiting.len(), "notices wait: they could not be sent");
            return ids(again(failed.detail));
        }
        Err(failed) if waiting.len() == 1 => return ids(given_up(waiting, failed)),
        Err(_) => {}
    }
    let mut sent = Vec::with_capacity(waiting.len());
    for one in waiting {
        let outcome = match notify(notifier, vec![one.notice.clone()]).await {
            Ok(()) => Sent::Taken,
            Err(failed) if failed.transient => {
                sent.push((one.notice.id, again(failed.detail)));
                return sent;
            }
            Err(failed) => given_up(std::slice::from_ref(one), failed),
        };
        sent.push((one.notice.id, outcome));
    }
    sent
}

async fn notify(notifier: &dyn Notifier, notices: Vec<Notice>) -> Result<(), NotifyFailed> {
    let late = NotifyFailed { transient: true, detail: format!("no answer within {} s", NOTIFY_TIMEOUT.as_secs()) };
    tokio::time::timeout(NOTIFY_TIMEOUT, notifier.notify(notices)).await.unwrap_or(Err(late))
}

fn given_up(waiting: &[Waiting], failed: NotifyFailed) -> Sent {
    for Waiting { notice, .. } in waiting {
        tracing::error!(
            notice.id,
            kind = notice.kind.word(),
            reason = failed.detail,
            "a notice is given up: it cannot be sent"
        );
    }
    Sent::GivenUp { detail: failed.detail }
}

/// Returns the pause after so many failed attempts.
fn pause_after(attempts: u32) -> Duration {
    PAUSE_FIRST.saturating_mul(1 << attempts.saturating_sub(1).min(10)).min(PAUSE_MAX)
}
