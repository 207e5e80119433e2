//! How much there may be: subscriptions in all, events in a day.
//!
//! A limit is told of at 80 % and at 100 %, once per crossing. Only that of
//! the subscriptions can also be enforced. The events of a day are never
//! refused: they come in with the transaction of whatever made them true, and
//! to refuse one is to lose it.

use std::time::Duration;

use base::Timestamp;
use base::db::{Error, Tx};

use crate::events::Limits;
use crate::notice::NoticeKind;
use crate::tables;
use crate::telling::NewNotice;

const DAY: Duration = Duration::from_hours(24);

/// Tells that there is one subscription more, where that crosses a threshold;
/// `made` names it.
pub(crate) fn one_more(limits: Limits, before: u64, made: &str, now: Timestamp) -> Option<NewNotice> {
    let max = limits.subscriptions_max;
    let percent = crossed(before, before + 1, max)?;
    let then = if limits.enforce { "more than that are refused" } else { "more than that are only told of" };
    let text = format!("There are now {} subscriptions with a callback; {max} are allowed, and {then}.", before + 1);
    let about = format!("{}/{percent}/{made}", NoticeKind::TooManySubscriptions.word());
    Some(NewNotice::for_administrators(NoticeKind::TooManySubscriptions, about, now, text))
}

/// Tells that many events have come in today, if that was not told.
pub(crate) fn events_of_today(tx: &mut dyn Tx, limits: Limits, now: Timestamp) -> Result<Option<NewNotice>, Error> {
    let max = limits.events_per_day_max;
    let day = day_of(now);
    let events = tables::events_of_day(tx, day)?;
    let Some(percent) = crossed(0, events, max) else { return Ok(None) };
    let about = format!("{}/{percent}/{day}", NoticeKind::TooManyEvents.word());
    if tables::is_told(tx, &about)? {
        return Ok(None);
    }
    let text = format!(
        "{events} events have come in since midnight (UTC); {max} in a day are what this installation is meant for. None is refused or lost."
    );
    Ok(Some(NewNotice::for_administrators(NoticeKind::TooManyEvents, about, now, text)))
}

/// Returns the number of the UTC day, counted from 1970.
pub(crate) fn day_of(now: Timestamp) -> i64 {
    now.as_millis().div_euclid(DAY.as_millis() as i64)
}

/// Returns the highest threshold, in percent, that a growing count has crossed.
fn crossed(before: u64, after: u64, max: u64) -> Option<u64> {
    [100, 80].into_iter().find(|percent| {
        let threshold = u128::from(max) * u128::from(*percent);
        u128::from(before) * 100 < threshold && u128::from(after) * 100 >= threshold
    })
}
