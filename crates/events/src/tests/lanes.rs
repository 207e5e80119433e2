//! Who gets a slot: the fast, the slow, and probes.

use super::schedule::{NOW, answered, events, id, log, outlet, subscription, turn};
use super::*;
use crate::outlet::Call;
use crate::roster::{Roster, Slots};

const SECOND: Duration = Duration::from_secs(1);

/// Seats subscriptions before a log of so many events, all at hand.
fn seated(subscriptions: impl IntoIterator<Item = Subscription>, slots: Slots, head: u64) -> Roster {
    let mut roster = Roster::new(slots, NOW);
    for subscription in subscriptions {
        roster.seat(subscription, log(head), outlet(), NOW);
    }
    assert!(turn(&mut roster, NOW).calls.is_empty(), "nothing is at hand yet");
    roster.read(1, Offset::START, Ok((log(head), events(1..=head))), NOW);
    roster
}

fn failed(number: u8) -> Subscription {
    let standing = Standing { state: State::Failed { since: NOW }, attempts: 5, ..Standing::new(Offset::START) };
    Subscription { standing, ..subscription(number) }
}

fn who(calls: &[Call]) -> Vec<SubscriptionId> {
    calls.iter().map(|call| call.subscription).collect()
}

fn ids(numbers: impl IntoIterator<Item = u8>) -> Vec<SubscriptionId> {
    numbers.into_iter().map(id).collect()
}

/// Lets a call come back after a while, having been received.
fn received(roster: &mut Roster, call: &Call, took: Duration, now: Timestamp) {
    let mut finished = answered(call, Outcome::Delivered);
    finished.attempt.took_ms = took.as_millis() as u64;
    roster.finished(finished, 0.5, now);
}

#[test]
fn probes_have_slots_of_their_own() {
    let all = (1..=4).map(subscription).chain((5..=8).map(failed));
    let mut roster = seated(all, Slots::new(5, 2), 9);
    let calls = turn(&mut roster, NOW).calls;
    assert_eq!(who(&calls), ids([5, 6, 1, 2, 3]), "two probes, and three others");
    received(&mut roster, &calls[2], SECOND / 10, NOW);
    assert_eq!(who(&turn(&mut roster, NOW).calls), ids([4]), "a free slot of theirs is not for probes");
    // The probe was received: from now on its subscription is one of the others.
    received(&mut roster, &calls[0], SECOND / 10, NOW);
    assert_eq!(who(&turn(&mut roster, NOW).calls), ids([7]));
}

#[test]
fn probes_cannot_take_all_slots_and_neither_can_the_others() {
    for (calls_max, probes_max, expected) in [(8, 2, (6, 2)), (8, 100, (4, 4)), (8, 0, (7, 1)), (0, 0, (1, 1))] {
        let all = (1..=10).map(subscription).chain((11..=20).map(failed));
        let mut roster = seated(all, Slots::new(calls_max, probes_max), 9);
        let calls = who(&turn(&mut roster, NOW).calls);
        let probes = calls.iter().filter(|call| **call > id(10)).count();
        assert_eq!((calls.len() - probes, probes), expected, "{calls_max} slots, {probes_max} for probes");
    }
}

#[test]
fn the_slow_get_a_quarter_of_the_slots_and_the_fast_the_rest() {
    // Eight ordinary slots, of which two are for the slow.
    let mut roster = seated((1..=12).map(subscription), Slots::new(9, 1), 9);
    let mut now = NOW;
    let calls = turn(&mut roster, now).calls;
    assert_eq!(who(&calls), ids(1..=8), "nobody is known to be slow yet");
    now = now.plus(SECOND * 3);
    for call in &calls[..6] {
        received(&mut roster, call, SECOND * 3, now);
    }
    // Two calls of the first round hang: they count as slow, and the six that
    // were slow wait behind them.
    assert_eq!(who(&turn(&mut roster, now).calls), ids(9..=12));
    for call in &calls[6..] {
        received(&mut roster, call, SECOND * 3, now);
    }
    let slow = turn(&mut roster, now).calls;
    assert_eq!(who(&slow), ids([1, 2]), "the first two of the slow, and no more");
    received(&mut roster, &slow[0], SECOND * 3, now);
    assert_eq!(who(&turn(&mut roster, now).calls), ids([3]), "whoever is slow goes to the back of the queue");
}

#[test]
fn the_slow_are_not_starved_by_the_fast() {
    let mut roster = seated((1..=20).map(subscription), Slots::new(5, 1), 200);
    let mut now = NOW;
    let mut flying = turn(&mut roster, now).calls;
    let mut rounds_of_slow = 0;
    for _ in 0..50 {
        now = now.plus(SECOND * 2);
        for call in std::mem::take(&mut flying) {
            let slow = call.subscription == id(1);
            rounds_of_slow += usize::from(slow);
            received(&mut roster, &call, if slow { SECOND * 2 } else { SECOND / 10 }, now);
        }
        flying = turn(&mut roster, now).calls;
    }
    assert!(rounds_of_slow >= 20, "it was called {rounds_of_slow} times while others waited");
}

#[test]
fn hanging_receivers_leave_three_quarters_of_the_slots_to_the_others() {
    // 40 hang and 40 answer at once; there are 40 ordinary slots, 10 for the slow.
    let mut roster = seated((1..=80).map(subscription), Slots::new(41, 1), 5_000);
    let (mut now, mut hanging) = (NOW, Vec::<(Timestamp, Call)>::new());
    for second in 0..300 {
        let mut received_now = 0;
        for _ in 0..10 {
            let asked = turn(&mut roster, now);
            if let Some(group) = asked.group {
                roster.saved(group, Ok(()), now);
            }
            for call in asked.calls {
                if call.subscription <= id(40) {
                    hanging.push((now, call));
                } else {
                    received_now += 1;
                    received(&mut roster, &call, SECOND / 100, now);
                }
            }
        }
        assert!(hanging.len() <= 40, "never more calls than slots");
        // The first time they are taken for fast, and get what there is until
        // they time out. From then on they are known.
        if second >= 31 {
            assert!(hanging.len() <= 10, "second {second}: {} hang", hanging.len());
            assert!(received_now >= 10 * 30, "second {second}: {received_now} received");
        }
        now = now.plus(SECOND);
        let timed_out = hanging.extract_if(.., |(began, _)| now.since(*began) >= SECOND * 30);
        for (_, call) in timed_out {
            roster.finished(answered(&call, Outcome::Failed(Patience::Overloaded)), 0.5, now);
        }
    }
}

#[test]
fn whoever_changed_while_it_waited_changes_lanes() {
    let mut roster = seated([failed(1), failed(2)], Slots::new(4, 1), 9);
    assert_eq!(who(&turn(&mut roster, NOW).calls), ids([1]), "there is one slot for probes");
    // The second waits for it when its owner sets it going.
    let again = Standing { generation: 2, ..Standing::new(Offset::START) };
    roster.change(Subscription { standing: again, ..subscription(2) }, outlet(), log(9), NOW);
    assert_eq!(who(&turn(&mut roster, NOW).calls), ids([2]));
}

#[test]
fn a_limit_holds_back_its_own_subscription_only() {
    let limited = Policy { rate_per_second: Some(2), ..Policy::default() };
    let first = Subscription { policy: limited, ..subscription(1) };
    let mut roster = seated([first, subscription(2)], Slots::new(9, 1), 90);
    let mut now = NOW;
    let mut counts = [0, 0];
    for _ in 0..40 {
        let calls = turn(&mut roster, now).calls;
        for call in &calls {
            counts[usize::from(call.subscription == id(2))] += 1;
            received(&mut roster, call, SECOND / 100, now);
        }
        // There is an alarm for it: nobody has to look.
        assert!(roster.wakes_at() <= now.plus(SECOND / 2));
        now = now.plus(SECOND / 10);
    }
    assert_eq!(counts, [7, 40], "in four seconds, the first half of one with an empty bucket");
}

#[test]
fn when_the_clock_is_set_back_a_limit_lets_as_many_through_as_before() {
    let limited = Policy { rate_per_second: Some(1), ..Policy::default() };
    let mut roster = seated([Subscription { policy: limited, ..subscription(1) }], Slots::new(9, 1), 9);
    let yesterday = NOW.minus(SECOND * 86_400);
    assert!(turn(&mut roster, yesterday).calls.is_empty());
    assert!(turn(&mut roster, yesterday.plus(SECOND / 2)).calls.is_empty());
    assert_eq!(turn(&mut roster, yesterday.plus(SECOND)).calls.len(), 1);
}

#[test]
fn a_call_that_began_before_the_clock_was_set_back_grows_old_all_the_same() {
    let mut roster = seated((1..=5).map(subscription), Slots::new(5, 1), 9);
    let calls = turn(&mut roster, NOW).calls;
    let yesterday = NOW.minus(SECOND * 86_400);
    assert!(turn(&mut roster, yesterday).calls.is_empty());
    let slow = yesterday.plus(SECOND * 2);
    received(&mut roster, &calls[0], SECOND * 2, slow);
    received(&mut roster, &calls[1], SECOND * 2, slow);
    // One of the four slots is for the slow. Two calls hang and count as slow,
    // so the two that were slow stay out, whatever the clock says.
    assert_eq!(who(&turn(&mut roster, slow).calls), ids([5]));
}

#[test]
fn another_receiver_is_not_judged_by_the_one_before() {
    let batching = Policy { batch_events_max: 8, ..Policy::default() };
    let mut roster = seated([Subscription { policy: batching.clone(), ..subscription(1) }], Slots::new(9, 1), 99);
    let extents = |calls: &[Call]| calls.iter().map(|call| call.load.offsets()).collect::<Vec<_>>();
    for expected in ["1", "2-3", "4-7"] {
        let calls = turn(&mut roster, NOW).calls;
        assert_eq!(extents(&calls), [expected]);
        received(&mut roster, &calls[0], SECOND * 9, NOW);
    }
    let call = turn(&mut roster, NOW).calls.remove(0);
    let mut busy = answered(&call, Outcome::Failed(Patience::Own));
    busy.attempt.status = Some(429);
    roster.finished(busy, 0.5, NOW);
    let standing = roster.standing(id(1)).expect("it has a seat");
    assert!(turn(&mut roster, standing.due).calls.is_empty(), "it is called less often than its retries ask for");

    // Its owner points it elsewhere: narrow batches again, but no waiting.
    let sink = Sink::Https { uri: "https://elsewhere.example".into() };
    let standing = Standing { generation: 2, attempts: 0, ..standing };
    let now = standing.due;
    roster.change(Subscription { sink, standing, policy: batching, ..subscription(1) }, outlet(), log(99), now);
    assert_eq!(extents(&turn(&mut roster, now).calls), ["8"]);
}
