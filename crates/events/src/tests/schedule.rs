//! The roster by itself: no database, no network, no task; only values.

use base::http::HeaderMap;

use super::*;
use crate::delivery::{Attempt, Verdict};
use crate::outlet::{Call, Finished, Outlet};
use crate::roster::{Group, Order, Roster, SAVE_AFTER, SAVE_RESULTS, Slots};
use crate::tables::LogRow;

pub(super) const NOW: Timestamp = Timestamp::from_millis(1_767_225_600_000);

/// What a turn asked for.
#[derive(Default)]
pub(super) struct Asked {
    pub(super) calls: Vec<Call>,
    pub(super) reads: Vec<Offset>,
    pub(super) group: Option<Group>,
}

pub(super) fn turn(roster: &mut Roster, now: Timestamp) -> Asked {
    let mut asked = Asked::default();
    for order in roster.turn(now) {
        match order {
            Order::Call(call) => asked.calls.push(*call),
            Order::Read { after, .. } => asked.reads.push(after),
            Order::Save(group) => asked.group = Some(group),
            Order::Look | Order::Tidy | Order::Watch | Order::Tell => {}
        }
    }
    asked
}

pub(super) fn id(number: u8) -> SubscriptionId {
    SubscriptionId::from_bytes([number; 16])
}

pub(super) fn subscription(number: u8) -> Subscription {
    Subscription {
        id: id(number),
        name: "orders".into(),
        trigger: late_orders(),
        owner: Owner { id: "ada".into(), name: "Ada".into() },
        sink: Sink::Https { uri: "https://receiver.example".into() },
        policy: Policy::default(),
        standing: Standing::new(Offset::START),
        birth: Offset::START,
        created_at: NOW,
        updated_at: NOW,
    }
}

pub(super) fn outlet() -> Arc<Outlet> {
    Arc::new(Outlet::Https { uri: "https://receiver.example".into(), headers: HeaderMap::new(), keys: Vec::new() })
}

pub(super) fn log(head: u64) -> LogRow {
    LogRow { log: 1, head: Offset(head), trimmed: Offset::START }
}

pub(super) fn events(offsets: std::ops::RangeInclusive<u64>) -> Vec<Event> {
    let event = |offset| Event {
        id: event::event_id(&late_orders(), &format!("order {offset}")),
        offset: Offset(offset),
        at: NOW,
        document: "{}".into(),
    };
    offsets.map(event).collect()
}

/// So many slots for calls that are no probes.
pub(super) fn slots(calls_max: usize) -> Slots {
    Slots::new(calls_max + 1, 1)
}

/// Seats subscriptions before a log of so many events, all at hand.
pub(super) fn seated(subscriptions: u8, calls_max: usize, head: u64) -> Roster {
    let mut roster = Roster::new(slots(calls_max), NOW);
    for number in 1..=subscriptions {
        roster.seat(subscription(number), log(head), outlet(), NOW);
    }
    assert!(turn(&mut roster, NOW).calls.is_empty(), "nothing is at hand yet");
    roster.read(1, Offset::START, Ok((log(head), events(1..=head))), NOW);
    roster
}

pub(super) fn answered(call: &Call, outcome: Outcome) -> Finished {
    let attempt = Attempt {
        generation: call.generation,
        offset: call.load.first().offset,
        through: call.load.through(),
        event_id: call.load.first().id,
        number: call.number,
        started_at: NOW,
        took_ms: 1,
        verdict: Verdict::Late,
        status: Some(200),
        detail: String::new(),
        answer: String::new(),
        next_at: None,
    };
    Finished { subscription: call.subscription, outcome, attempt }
}

#[test]
fn there_is_one_call_per_subscription_and_no_more_than_there_are_slots() {
    let mut roster = seated(3, 2, 5);
    let first = turn(&mut roster, NOW).calls;
    assert_eq!(first.iter().map(|call| call.subscription).collect::<Vec<_>>(), [id(1), id(2)]);
    assert!(turn(&mut roster, NOW).calls.is_empty(), "both slots are taken");
    roster.finished(answered(&first[0], Outcome::Delivered), 0.5, NOW);
    // The third had to wait, so it comes before the first one's next event.
    let second = turn(&mut roster, NOW).calls;
    assert_eq!(second.iter().map(|call| call.subscription).collect::<Vec<_>>(), [id(3)]);
}

#[test]
fn results_are_saved_in_groups_after_a_while_or_a_thousand() {
    let mut roster = seated(1, 9, 2_000);
    let call = turn(&mut roster, NOW).calls.remove(0);
    roster.finished(answered(&call, Outcome::Delivered), 0.5, NOW);
    let mut call = turn(&mut roster, NOW).calls.remove(0);
    assert_eq!(roster.wakes_at(), NOW.plus(SAVE_AFTER));
    let later = NOW.plus(SAVE_AFTER);
    let group = turn(&mut roster, later).group.expect("it is time");
    assert_eq!((group.progress[0].standing.cursor, group.progress[0].attempts.len()), (Offset(1), 1));
    roster.saved(group, Ok(()), later);
    for _ in 0..SAVE_RESULTS {
        roster.finished(answered(&call, Outcome::Delivered), 0.5, later);
        let mut asked = turn(&mut roster, later);
        call = asked.calls.remove(0);
        if let Some(group) = asked.group {
            assert_eq!(group.progress[0].attempts.len(), SAVE_RESULTS);
            assert_eq!(group.progress[0].standing.cursor, Offset(1 + SAVE_RESULTS as u64));
            return;
        }
    }
    panic!("a thousand results were not saved");
}

#[test]
fn what_could_not_be_saved_is_saved_later() {
    let mut roster = seated(1, 9, 2);
    let call = turn(&mut roster, NOW).calls.remove(0);
    roster.finished(answered(&call, Outcome::Delivered), 0.5, NOW);
    let later = NOW.plus(SAVE_AFTER);
    let asked = turn(&mut roster, later);
    roster.finished(answered(&asked.calls[0], Outcome::Delivered), 0.5, later);
    roster.saved(asked.group.expect("it is time"), Err(base::db::Error::Full), later);
    assert!(turn(&mut roster, later).group.is_none(), "not at once");
    let group = turn(&mut roster, later.plus(Duration::from_secs(1))).group.expect("it is tried again");
    let offsets: Vec<_> = group.progress[0].attempts.iter().map(|attempt| attempt.offset).collect();
    assert_eq!(offsets, [Offset(1), Offset(2)]);
    assert_eq!(group.progress[0].standing.cursor, Offset(2));
}

#[test]
fn a_held_seat_starts_no_call_and_its_result_waits_for_the_verb() {
    let mut roster = seated(1, 9, 3);
    let call = turn(&mut roster, NOW).calls.remove(0);
    assert_eq!(roster.hold(id(1)).expect("it has a seat").standing.cursor, Offset::START);
    roster.finished(answered(&call, Outcome::Delivered), 0.5, NOW);
    assert!(turn(&mut roster, NOW).calls.is_empty());
    assert_eq!(roster.standing(id(1)).expect("it has a seat").cursor, Offset::START);

    // The verb was a pause: the event that was under way still counts.
    let paused = Standing { state: State::Paused, ..Standing::new(Offset::START) };
    roster.change(Subscription { standing: paused, ..subscription(1) }, outlet(), log(3), NOW);
    let standing = roster.standing(id(1)).expect("it has a seat");
    assert_eq!((standing.state, standing.cursor), (State::Paused, Offset(1)));
    assert!(turn(&mut roster, NOW).calls.is_empty());
}

#[test]
fn a_late_result_counts_for_nothing_but_is_kept_for_people() {
    let mut roster = seated(1, 9, 3);
    let call = turn(&mut roster, NOW).calls.remove(0);
    let anew = Standing { generation: 2, ..Standing::new(Offset::START) };
    roster.change(Subscription { standing: anew, ..subscription(1) }, outlet(), log(3), NOW);
    assert!(turn(&mut roster, NOW).calls.is_empty(), "the old call is still under way");
    roster.finished(answered(&call, Outcome::Delivered), 0.5, NOW);
    let again = turn(&mut roster, NOW).calls.remove(0);
    assert_eq!((again.generation, again.load.first().offset), (2, Offset(1)));
    let group = turn(&mut roster, NOW.plus(SAVE_AFTER)).group.expect("it is time");
    assert_eq!(group.progress[0].attempts[0].verdict, Verdict::Late);
}

#[test]
fn whoever_has_the_pen_saves() {
    let mut roster = seated(1, 9, 3);
    let call = turn(&mut roster, NOW).calls.remove(0);
    roster.finished(answered(&call, Outcome::Delivered), 0.5, NOW);
    let pen = roster.pen(id(1)).expect("it has a seat").try_lock_owned().expect("nobody has it");
    assert!(turn(&mut roster, NOW.plus(SAVE_AFTER)).group.is_none(), "a verb is about to save it");
    drop(pen);
    let later = NOW.plus(SAVE_AFTER).plus(SAVE_AFTER);
    assert!(turn(&mut roster, later).group.is_some());
    assert!(roster.pen(id(1)).expect("it has a seat").try_lock_owned().is_ok(), "the group was dropped with its pens");
}

#[test]
fn a_gap_in_the_log_stops_the_reader() {
    let mut roster = Roster::new(slots(9), NOW);
    roster.seat(subscription(1), log(3), outlet(), NOW);
    assert_eq!(turn(&mut roster, NOW).reads, [Offset(0)]);
    roster.read(1, Offset(0), Ok((log(3), events(2..=3))), NOW);
    let asked = turn(&mut roster, NOW);
    assert!(asked.calls.is_empty() && asked.reads.is_empty());
    assert_eq!(roster.standing(id(1)).expect("it has a seat").cursor, Offset::START);
}

#[test]
fn when_the_clock_is_set_back_a_pause_stays_as_long_as_it_was() {
    let mut roster = seated(1, 9, 1);
    let call = turn(&mut roster, NOW).calls.remove(0);
    roster.finished(answered(&call, Outcome::Failed(Patience::Own)), 0.5, NOW);
    let yesterday = NOW.minus(Duration::from_hours(24));
    assert!(turn(&mut roster, yesterday).calls.is_empty());
    assert!(turn(&mut roster, yesterday.plus(Duration::from_millis(999))).calls.is_empty());
    assert_eq!(turn(&mut roster, yesterday.plus(Duration::from_secs(1))).calls.len(), 1);
}

#[test]
fn that_a_hook_is_still_full_is_no_news() {
    let mut roster = seated(1, 9, 1);
    let (mut now, mut noted) = (NOW, 0);
    for _ in 0..5 {
        let asked = turn(&mut roster, now);
        roster.finished(answered(&asked.calls[0], Outcome::Busy), 0.5, now);
        noted += asked.group.map_or(0, |group| {
            let attempts = group.progress[0].attempts.len();
            roster.saved(group, Ok(()), now);
            attempts
        });
        now = roster.standing(id(1)).expect("it has a seat").due;
    }
    assert_eq!(noted, 1);
}

#[test]
fn a_pause_that_begins_after_the_clock_was_set_back_is_as_long_as_any() {
    let mut roster = seated(1, 9, 1);
    let call = turn(&mut roster, NOW).calls.remove(0);
    // The result comes in before the next turn could see the new time.
    let yesterday = NOW.minus(Duration::from_hours(24));
    roster.finished(answered(&call, Outcome::Failed(Patience::Own)), 0.5, yesterday);
    assert!(turn(&mut roster, yesterday.plus(Duration::from_millis(999))).calls.is_empty());
    assert_eq!(turn(&mut roster, yesterday.plus(Duration::from_secs(1))).calls.len(), 1);
}

#[test]
fn after_a_restart_with_the_clock_set_back_nobody_waits_longer_than_the_longest_pause() {
    let mut roster = Roster::new(slots(9), NOW);
    let tomorrow = NOW.plus(Duration::from_hours(24));
    let standing = Standing { attempts: 1, due: tomorrow, ..Standing::new(Offset::START) };
    roster.seat(Subscription { standing, ..subscription(1) }, log(1), outlet(), NOW);
    roster.read(1, Offset::START, Ok((log(1), events(1..=1))), NOW);
    assert!(turn(&mut roster, NOW.plus(Duration::from_mins(59))).calls.is_empty());
    // Nothing asks for more patience than the hour that a receiver may ask for.
    let in_an_hour = NOW.plus(Duration::from_hours(1));
    assert_eq!(turn(&mut roster, in_an_hour).calls.len(), 1);
}

#[test]
fn a_late_result_does_not_say_why_a_subscription_failed() {
    let mut roster = seated(1, 9, 3);
    let call = turn(&mut roster, NOW).calls.remove(0);
    // While the probe is under way, its owner takes an event out by hand.
    let failed = Standing {
        state: State::Failed { since: NOW },
        reason: "500 Internal Server Error".into(),
        generation: 2,
        cursor: Offset(1),
        ..Standing::new(Offset::START)
    };
    roster.change(Subscription { standing: failed.clone(), ..subscription(1) }, outlet(), log(3), NOW);
    roster.finished(answered(&call, Outcome::Delivered), 0.5, NOW);
    assert_eq!(roster.standing(id(1)).expect("it has a seat"), failed);
}

#[test]
fn the_last_turn_saves_at_once_and_begins_nothing() {
    let mut roster = seated(1, 9, 3);
    let call = turn(&mut roster, NOW).calls.remove(0);
    let later = NOW.plus(Duration::from_mins(10));
    roster.finished(answered(&call, Outcome::Delivered), 0.5, later);
    // The next event is due, and so are a look at the logs and a tidying.
    let Some(Order::Save(group)) = roster.last_turn(later) else { panic!("there is something to save") };
    assert_eq!(group.progress[0].standing.cursor, Offset(1));
    roster.saved(group, Ok(()), later);
    assert!(roster.last_turn(later).is_none());
}

#[test]
fn one_tidying_ends_before_the_next_begins() {
    let mut roster = Roster::new(slots(9), NOW);
    let tidies = |roster: &mut Roster, minutes| {
        let orders = roster.turn(NOW.plus(Duration::from_mins(minutes)));
        orders.iter().filter(|order| matches!(order, Order::Tidy)).count()
    };
    assert_eq!((tidies(&mut roster, 9), tidies(&mut roster, 10)), (0, 1));
    assert_eq!(tidies(&mut roster, 60), 0, "the first is still at it");
    roster.tidied(NOW.plus(Duration::from_hours(1)));
    assert_eq!((tidies(&mut roster, 69), tidies(&mut roster, 70)), (0, 1));
}
