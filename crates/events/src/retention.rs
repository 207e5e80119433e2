//! Retention: how far behind a subscription may fall.
//!
//! A log holds its events for the subscription that is furthest behind, and
//! without a bound one receiver that nobody misses would fill the disk. So
//! what waits has a largest size and a largest age. At 80 % of either its owner
//! is told; beyond it the subscription is suspended, on record, and only then
//! are its events free to be removed: never in silence. Paused ones and those
//! whose queue a suspension has kept fall behind as others do.
//!
//! A hook of this program cannot be suspended, since nobody could update it:
//! what it has not taken by then is passed over, on record, and it goes on.

use std::time::Duration;

use base::Timestamp;
use base::db::{Control, Db, Error};

use crate::events::Options;
use crate::limits;
use crate::subscription::SubscriptionId;
use crate::tables;
use crate::telling;

/// What waits for one subscription, and how much that may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Waits {
    /// Of documents, from its next event to the end of the log.
    pub(crate) bytes: u64,
    pub(crate) bytes_max: u64,
    /// Since its next event was appended.
    pub(crate) age: Duration,
    pub(crate) age_max: Duration,
}

/// How far behind that is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lag {
    /// Less than half of what is allowed: a notice that it is near is history.
    Small,
    /// Nothing to tell, nothing to take back.
    Fair,
    /// 80 % of what is allowed.
    Near,
    /// More than is allowed.
    TooFar,
}

impl Waits {
    /// Tells how far behind that is.
    pub(crate) fn lag(&self) -> Lag {
        let reaches = |percent: u32| {
            let bytes = u128::from(self.bytes) * 100 >= u128::from(self.bytes_max) * u128::from(percent);
            bytes || self.age.as_millis() * 100 >= self.age_max.as_millis() * u128::from(percent)
        };
        if self.bytes > self.bytes_max || self.age > self.age_max {
            Lag::TooFar
        } else if reaches(80) {
            Lag::Near
        } else if reaches(50) {
            Lag::Fair
        } else {
            Lag::Small
        }
    }
}

/// A subscription that has fallen too far behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Overdue {
    pub(crate) id: SubscriptionId,
    /// Its generation when that was found out.
    pub(crate) generation: u64,
}

/// What a look at all queues and limits found.
#[derive(Debug, Default)]
pub(crate) struct Watched {
    pub(crate) overdue: Vec<Overdue>,
    /// There is something to tell.
    pub(crate) told: bool,
}

/// Looks how much waits for whom, and how much came in today; writes the
/// notices that are due about it, each once.
pub(crate) async fn watch(db: &Db<Control>, options: &Options, now: Timestamp) -> Result<Watched, Error> {
    let (bytes_max, age_max) = (options.queue_bytes_max, options.queue_age_max);
    let limits = options.limits;
    let mut watched = Watched::default();
    let (laggards, today) = db
        .read("events.watch", move |tx| {
            let near = tables::Near { bytes: bytes_max / 10 * 8, before: now.minus(age_max.mul_f64(0.8)) };
            Ok::<_, Error>((tables::laggards(tx, near)?, limits::events_of_today(tx, limits, now)?))
        })
        .await?;
    let mut near = Vec::new();
    let mut small = Vec::new();
    for laggard in laggards {
        let bytes = laggard.bytes;
        let waits = Waits { bytes, bytes_max, age: now.since(laggard.oldest.unwrap_or(now)), age_max };
        match waits.lag() {
            Lag::TooFar => watched.overdue.push(Overdue { id: laggard.id, generation: laggard.generation }),
            Lag::Near if !laggard.told => near.push((laggard.id, waits)),
            Lag::Small if laggard.told => small.push(laggard.id),
            Lag::Near | Lag::Fair | Lag::Small => {}
        }
    }
    if near.is_empty() && small.is_empty() && today.is_none() {
        return Ok(watched);
    }
    watched.told = db
        .write("events.watched", move |tx| {
            let mut notices = Vec::new();
            for (id, waits) in &near {
                let Some(stored) = tables::find(tx, *id)? else { continue };
                tables::set_retention_near(tx, *id, true)?;
                notices.extend(telling::retention_near(&stored.subscription, stored.log.head, waits, now));
            }
            for id in &small {
                tables::set_retention_near(tx, *id, false)?;
            }
            notices.extend(today.clone());
            tables::insert_notices(tx, &notices)?;
            Ok::<_, Error>(!notices.is_empty())
        })
        .await?;
    Ok(watched)
}
