//! The oracle of the kill loop: from what a receiver has in its book, it says
//! whether the sender kept its promises to one subscription.

use std::collections::{BTreeSet, HashMap};
use std::ops::RangeInclusive;
use std::time::Instant;

use crate::receiver::Receipt;

/// What was seen, where all promises were kept.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Tally {
    /// Events in calls that came.
    pub(crate) deliveries: u64,
    /// Events that had been accepted and came again after a kill.
    pub(crate) repeated: u64,
    /// The most of them after one kill.
    pub(crate) repeated_max: u64,
    /// How long before a kill the oldest of them had been accepted, in ms.
    pub(crate) window_ms_max: u128,
}

/// Judges the receipts of one subscription, in the order in which they came.
///
/// `skipped` are the offsets that the sender says it passed over, `head` is
/// the last offset of the log, and `kills` are the ends of the lives.
///
/// Within a life the next call is always known: the event after the accepted
/// one, or the same again. After a kill it may go back, but never behind what
/// the sender had shown as saved, and never ahead.
pub(crate) fn judge(
    receipts: &[&Receipt],
    skipped: &BTreeSet<u64>,
    head: u64,
    kills: &[Instant],
) -> Result<Tally, String> {
    let mut tally = Tally::default();
    let mut identities: HashMap<u64, &Receipt> = HashMap::new();
    let mut accepted: HashMap<u64, Instant> = HashMap::new();
    let mut repeated_in_life = 0;
    let mut last_call: Option<&[&Receipt]> = None;
    let last_life: HashMap<u64, u64> = receipts.iter().map(|receipt| (receipt.offset, receipt.life)).collect();
    for call in receipts.chunk_by(|one, other| one.call == other.call) {
        let first = call[0];
        if !first.believed {
            return Err(format!("the call with offset {} bears no valid signature", first.offset));
        }
        if call.iter().zip(&call[1..]).any(|(one, next)| next.offset != one.offset + 1) {
            return Err(format!("the batch from offset {} has a gap", first.offset));
        }
        let same_life = last_call.is_some_and(|last| last[0].life == first.life);
        // What a life passed over without saving it comes again in a later one.
        let passed_over = |offset: &u64| {
            let forgotten = last_life.get(offset).is_some_and(|life| *life > first.life);
            skipped.contains(offset) || forgotten && !skipped.is_empty()
        };
        let due = due_after(last_call, passed_over);
        if first.offset > *due.end() || same_life && !due.contains(&first.offset) {
            let due = due.start();
            return Err(format!("offset {} came where {due} was due", first.offset));
        }
        if !same_life {
            repeated_in_life = 0;
        }
        for receipt in call {
            tally.deliveries += 1;
            if receipt.saved_before {
                return Err(format!("offset {} came again, though it had been saved", receipt.offset));
            }
            let known = identities.entry(receipt.offset).or_insert(receipt);
            if (&known.id, &known.body) != (&receipt.id, &receipt.body) {
                return Err(format!("offset {} has two identities", receipt.offset));
            }
            if let Some(at) = accepted.get(&receipt.offset) {
                repeated_in_life += 1;
                tally.repeated += 1;
                tally.repeated_max = tally.repeated_max.max(repeated_in_life);
                let kill = kills.iter().find(|kill| *kill >= at).copied().unwrap_or(*at);
                tally.window_ms_max = tally.window_ms_max.max(kill.duration_since(*at).as_millis());
            }
            if receipt.accepted {
                accepted.insert(receipt.offset, receipt.at);
            }
        }
        last_call = Some(call);
    }
    let lost: Vec<u64> =
        (1..=head).filter(|offset| !accepted.contains_key(offset) && !skipped.contains(offset)).collect();
    if !lost.is_empty() {
        return Err(format!("lost: {lost:?}"));
    }
    match identities.keys().max() {
        Some(last) if *last > head => Err(format!("offset {last} came, and the log ends at {head}")),
        _ => Ok(tally),
    }
}

/// Returns the offsets with which the next call of the same life may begin:
/// the event that is due, and what follows if it was passed over.
fn due_after(last_call: Option<&[&Receipt]>, passed_over: impl Fn(&u64) -> bool) -> RangeInclusive<u64> {
    let due = match last_call {
        None => 1,
        Some(call) if call[0].accepted => call[call.len() - 1].offset + 1,
        Some(call) => call[0].offset,
    };
    let mut last = due;
    while passed_over(&last) {
        last += 1;
    }
    due..=last
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Makes receipts out of `life:offset`, with signs behind: `-` not
    /// accepted, `!` not signed, `~` another body, `s` saved before.
    fn receipts(script: &str) -> Vec<Receipt> {
        let now = Instant::now();
        let receipt = |(call, word): (usize, &str)| {
            let (life, rest) = word.split_once(':').expect("life:offset");
            let offset: String = rest.chars().take_while(char::is_ascii_digit).collect();
            let offset: u64 = offset.parse().expect("a number");
            Receipt {
                life: life.parse().expect("a number"),
                call: call as u64,
                path: "/".into(),
                offset,
                id: format!("e-{offset}"),
                identifier: String::new(),
                body: if rest.contains('~') { b"other".to_vec() } else { b"body".to_vec() },
                headers: HashMap::new(),
                believed: !rest.contains('!'),
                at: now,
                accepted: !rest.contains('-'),
                saved_before: rest.contains('s'),
            }
        };
        script.split_whitespace().enumerate().map(receipt).collect()
    }

    #[test]
    fn promises_kept_and_broken() {
        for (script, skipped, expected) in [
            ("0:1 0:2 0:3", &[][..], "3 deliveries, 0 repeated"),
            ("0:1 0:2- 0:2 0:3", &[], "4 deliveries, 0 repeated"),
            ("0:1 0:2 1:1 1:2 1:3", &[], "5 deliveries, 2 repeated"),
            ("0:1 0:2- 0:3", &[2], "3 deliveries, 0 repeated"),
            ("0:1 0:3", &[2], "2 deliveries, 0 repeated"),
            ("0:1 0:2- 0:3 1:2 1:3", &[4], "5 deliveries, 1 repeated"),
            ("0:1 0:2- 0:3 1:2 1:3", &[], "offset 3 came where 2 was due"),
            ("0:1 0:2", &[], "lost: [3]"),
            ("0:1 0:2 0:3-", &[], "lost: [3]"),
            ("0:1 0:3 0:2", &[], "offset 3 came where 2 was due"),
            ("0:1 0:2- 0:3 0:2", &[], "offset 3 came where 2 was due"),
            ("0:1 0:1 0:2 0:3", &[], "offset 1 came where 2 was due"),
            ("0:1 1:3 1:2", &[], "offset 3 came where 2 was due"),
            ("0:1 0:2 1:1s 1:2 1:3", &[], "offset 1 came again, though it had been saved"),
            ("0:1 0:2 1:2~ 1:3", &[], "offset 2 has two identities"),
            ("0:1 0:2! 0:3", &[], "the call with offset 2 bears no valid signature"),
            ("0:1 0:2 0:3 0:4", &[], "offset 4 came, and the log ends at 3"),
        ] {
            let receipts = receipts(script);
            let all: Vec<&Receipt> = receipts.iter().collect();
            let found = match judge(&all, &skipped.iter().copied().collect(), 3, &[]) {
                Ok(tally) => format!("{} deliveries, {} repeated", tally.deliveries, tally.repeated),
                Err(broken) => broken,
            };
            assert_eq!(found, expected, "{script}");
        }
    }
}
