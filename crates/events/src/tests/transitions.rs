//! The state diagram, printed from the code. This table is the law: it changes
//! only when the documentation of the states does.

use std::fmt::Write as _;

use expect_test::{Expect, expect};
use proptest::prelude::*;

use super::*;

const NOW: Timestamp = Timestamp::from_millis(1_767_225_600_000);

fn hours(hours: u64) -> Duration {
    Duration::from_secs(hours * 3_600)
}

/// A subscription in the middle of its life: 10 events done, 5 waiting, four
/// attempts at the eleventh behind it, so that the next one is the last.
fn standing(state: State) -> Standing {
    Standing {
        state,
        generation: 3,
        cursor: Offset(10),
        floor: Offset(2),
        reached: Offset(2),
        attempts: 4,
        ..Standing::new(Offset(2))
    }
}

fn around(policy: &Policy) -> Around<'_> {
    Around { policy, head: Offset(15), trimmed: Offset(4), now: NOW }
}

fn attempted(outcome: Outcome) -> Input {
    Input::Attempted { generation: 3, offset: Offset(11), through: Offset(11), outcome, luck: 0.5 }
}

fn attempted_batch(outcome: Outcome) -> Input {
    Input::Attempted { generation: 3, offset: Offset(11), through: Offset(14), outcome, luck: 0.5 }
}

/// What a cell of the table says: the next state, `*` if the generation is
/// raised, `+n` if n events are passed over, `-` for a refusal, `.` if nothing
/// happens.
fn cell(from: &Standing, input: Input, policy: &Policy) -> String {
    let (next, skipped) = match decide(from, input, &around(policy)) {
        Err(_) => return "-".into(),
        Ok(Next::Stays) => return ".".into(),
        Ok(Next::Ends) => return "end".into(),
        Ok(Next::Becomes(next)) => (next, 0),
        Ok(Next::Skips(next, skipped)) => (next, skipped.last.since(skipped.first) + 1),
    };
    let mut cell = next.state.word().to_owned();
    if next.generation > from.generation {
        cell.push('*');
    }
    if skipped > 0 {
        write!(cell, "+{skipped}").expect("a text can be written to");
    }
    cell
}

fn table(inputs: &[(&str, Input)], policy: &Policy) -> String {
    let states = [
        ("active", State::Active),
        ("failed", State::Failed { since: NOW.minus(hours(8)) }),
        ("paused", State::Paused),
        ("rejected", State::Rejected),
        ("suspended", State::Suspended { queue: Queue::Destroyed }),
        ("suspended, kept", State::Suspended { queue: Queue::Kept }),
    ];
    let mut table = format!("{:<20}", "");
    for (column, _) in states {
        write!(table, "{column:<16}").expect("a text can be written to");
    }
    for (row, input) in inputs {
        write!(table, "\n{row:<20}").expect("a text can be written to");
        for (_, state) in states {
            write!(table, "{:<16}", cell(&standing(state), *input, policy)).expect("a text can be written to");
        }
    }
    table.lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
}

fn check(inputs: &[(&str, Input)], policy: &Policy, expected: Expect) {
    expected.assert_eq(&table(inputs, policy));
}

#[test]
fn what_people_do() {
    let inputs = [
        ("update", Input::Update),
        ("pause", Input::Pause),
        ("resume", Input::Resume),
        ("resume from latest", Input::ResumeFromLatest),
        ("replay from 7", Input::Replay { from: Offset(7) }),
        ("extract 3", Input::Extract { through: Offset(13) }),
        ("extract all", Input::Extract { through: Offset(15) }),
        ("skip one", Input::SkipOne),
        ("delete", Input::Delete),
    ];
    check(
        &inputs,
        &Policy::default(),
        expect![[r"
                            active          failed          paused          rejected        suspended       suspended, kept
        update              active*         active*         active*         active*         active*+5       active*
        pause               paused          -               -               -               -               -
        resume              -               -               active*         -               -               -
        resume from latest  -               -               active*+5       -               -               -
        replay from 7       active*         active*         active*         active*         -               -
        extract 3           -               failed*+3       -               rejected*+3     .               suspended*+3
        extract all         -               failed*+5       -               rejected*+5     .               suspended*+5
        skip one            -               active*+1       -               active*+1       -               -
        delete              end             end             end             end             end             end"]],
    );
}

#[test]
fn what_receivers_and_time_do() {
    let inputs = [
        ("delivered", attempted(Outcome::Delivered)),
        ("retries spent", attempted(Outcome::Failed(Patience::Own))),
        ("declined", attempted(Outcome::Declined)),
        ("gone", attempted(Outcome::Gone)),
        ("busy", attempted(Outcome::Busy)),
        (
            "of old generation",
            Input::Attempted {
                generation: 2,
                offset: Offset(11),
                through: Offset(11),
                outcome: Outcome::Delivered,
                luck: 0.5,
            },
        ),
        ("8 h", Input::Clock),
        ("too far behind", Input::Retention),
    ];
    check(
        &inputs,
        &Policy::default(),
        expect![[r"
                            active          failed          paused          rejected        suspended       suspended, kept
        delivered           active          active          paused          .               .               .
        retries spent       failed          failed          .               .               .               .
        declined            failed          failed          .               .               .               .
        gone                failed          failed          .               .               .               .
        busy                active          failed          .               .               .               .
        of old generation   .               .               .               .               .               .
        8 h                 .               suspended*      .               .               .               .
        too far behind      suspended*+5    suspended*+5    suspended*+5    suspended*+5    .               suspended*+5"]],
    );

    let skipping = Policy { on_error: OnError::Skip, ..Policy::default() };
    check(
        &inputs[1..4],
        &skipping,
        expect![[r"
                            active          failed          paused          rejected        suspended       suspended, kept
        retries spent       active+1        active+1        .               .               .               .
        declined            active+1        active+1        .               .               .               .
        gone                active+1        active+1        .               .               .               ."]],
    );

    let rejecting = Policy { on_rejection: OnRejection::Reject, ..Policy::default() };
    check(
        &inputs[1..4],
        &rejecting,
        expect![[r"
                            active          failed          paused          rejected        suspended       suspended, kept
        retries spent       failed          failed          .               .               .               .
        declined            rejected        rejected        .               .               .               .
        gone                failed          failed          .               .               .               ."]],
    );

    let both = Policy { on_error: OnError::Skip, ..rejecting };
    check(
        &inputs[1..4],
        &both,
        expect![[r"
                            active          failed          paused          rejected        suspended       suspended, kept
        retries spent       active+1        active+1        .               .               .               .
        declined            active+1        active+1        .               .               .               .
        gone                active+1        active+1        .               .               .               ."]],
    );

    // A batch is acknowledged as a whole. Where it fails, nobody knows which of
    // its events is to blame, so none is passed over, and nothing is rejected.
    let batches = [
        ("delivered", attempted_batch(Outcome::Delivered)),
        ("retries spent", attempted_batch(Outcome::Failed(Patience::Own))),
        ("declined", attempted_batch(Outcome::Declined)),
        ("gone", attempted_batch(Outcome::Gone)),
    ];
    check(
        &batches,
        &Policy::default(),
        expect![[r"
                            active          failed          paused          rejected        suspended       suspended, kept
        delivered           active          active          paused          .               .               .
        retries spent       active          failed          .               .               .               .
        declined            active          failed          .               .               .               .
        gone                failed          failed          .               .               .               ."]],
    );
    check(
        &batches,
        &both,
        expect![[r"
                            active          failed          paused          rejected        suspended       suspended, kept
        delivered           active          active          paused          .               .               .
        retries spent       active          failed          .               .               .               .
        declined            active          failed          .               .               .               .
        gone                active          failed          .               .               .               ."]],
    );
}

#[test]
fn what_a_batch_could_not_do_its_first_event_tries_alone() {
    let check = |policy: &Policy, outcome, expected: &str| {
        let fresh = Standing { attempts: 0, ..standing(State::Active) };
        let Ok(Next::Becomes(next)) = decide(&fresh, attempted_batch(outcome), &around(policy)) else {
            panic!("it leads on")
        };
        let told = format!("{}, {} tried, +{} ms", next.state.word(), next.attempts, next.due.since(NOW).as_millis());
        assert_eq!((next.cursor, told.as_str()), (Offset(10), expected), "{outcome:?}");
    };
    let patient = Policy::default();
    check(&patient, Outcome::Failed(Patience::Own), "active, 1 tried, +1000 ms");
    check(&patient, Outcome::Failed(Patience::Overloaded), "active, 1 tried, +60000 ms");
    check(&patient, Outcome::Declined, "active, 1 tried, +0 ms");
    check(&patient, Outcome::Gone, "failed, 1 tried, +15000 ms");
    // Even where the first attempt is the last, a batch is none of them.
    let hasty = Policy { retry_pauses_ms: vec![], on_error: OnError::Skip, ..patient };
    check(&hasty, Outcome::Failed(Patience::Own), "active, 1 tried, +0 ms");
    check(&hasty, Outcome::Failed(Patience::Asked(Duration::from_secs(9))), "active, 1 tried, +9000 ms");
    check(&hasty, Outcome::Gone, "active, 1 tried, +0 ms");
}

#[test]
fn every_refusal_has_a_code_of_its_own() {
    let refused = [
        ("pause", Input::Pause),
        ("resume", Input::Resume),
        ("resume from latest", Input::ResumeFromLatest),
        ("replay", Input::Replay { from: Offset(7) }),
        ("replay too early", Input::Replay { from: Offset(2) }),
        ("replay forgotten", Input::Replay { from: Offset(3) }),
        ("replay ahead", Input::Replay { from: Offset(17) }),
        ("extract", Input::Extract { through: Offset(10) }),
        ("skip", Input::SkipOne),
    ];
    let states = [
        State::Active,
        State::Failed { since: NOW },
        State::Paused,
        State::Rejected,
        State::Suspended { queue: Queue::Destroyed },
    ];
    let mut lines = Vec::new();
    for (verb, input) in refused {
        for state in states {
            if let Err(refusal) = decide(&standing(state), input, &around(&Policy::default())) {
                lines.push(format!("{:<36}{verb}: {refusal}", refusal.code()));
            }
        }
    }
    lines.dedup();
    for state in [State::Failed { since: NOW }, State::Rejected] {
        let taken_out = Standing { cursor: Offset(15), ..standing(state) };
        let Err(refusal) = decide(&taken_out, Input::SkipOne, &around(&Policy::default())) else {
            panic!("there is nothing to pass over")
        };
        lines.push(format!("{:<36}skip while {}: {refusal}", refusal.code(), state.word()));
    }
    expect![[r"
        pause-while-failed                  pause: it is failed
        pause-while-paused                  pause: it is paused
        pause-while-rejected                pause: it is rejected
        pause-while-suspended               pause: it is suspended
        resume-while-active                 resume: it is active
        resume-while-failed                 resume: it is failed
        resume-while-rejected               resume: it is rejected
        resume-while-suspended              resume: it is suspended
        resume-from-latest-while-active     resume from latest: it is active
        resume-from-latest-while-failed     resume from latest: it is failed
        resume-from-latest-while-rejected   resume from latest: it is rejected
        resume-from-latest-while-suspended  resume from latest: it is suspended
        replay-while-suspended              replay: it is suspended
        replay-before-start                 replay too early: its events begin at offset 3
        replay-while-suspended              replay too early: it is suspended
        replay-forgotten                    replay forgotten: events before offset 5 are no longer kept
        replay-while-suspended              replay forgotten: it is suspended
        replay-ahead                        replay ahead: the next event will have offset 16
        replay-while-suspended              replay ahead: it is suspended
        extract-while-active                extract: it is active
        extract-while-paused                extract: it is paused
        skip-while-active                   skip: it is active
        skip-while-paused                   skip: it is paused
        skip-while-suspended                skip: it is suspended
        skip-nothing-queued                 skip while failed: no event is queued
        skip-nothing-queued                 skip while rejected: no event is queued"]]
    .assert_eq(&lines.join("\n"));
}

#[test]
fn retries_come_later_and_later_and_then_it_fails() {
    let policy = Policy::default();
    let mut s = Standing { attempts: 0, ..standing(State::Active) };
    let mut now = NOW;
    let mut lines = Vec::new();
    // Until it has been failed for a quarter of an hour.
    while now < NOW.plus(Duration::from_mins(20)) {
        let next = decide(&s, attempted(Outcome::Failed(Patience::Own)), &Around { now, ..around(&policy) });
        let Ok(Next::Becomes(next)) = next else { panic!("an attempt that fails leads on") };
        lines.push(format!("{:>3} s: {}", next.due.since(now).as_secs(), next.state.word()));
        (now, s) = (next.due, next);
    }
    expect![[r"
          1 s: active
          5 s: active
         30 s: active
        120 s: active
         15 s: failed
         30 s: failed
         60 s: failed
        120 s: failed
        240 s: failed
        300 s: failed
        300 s: failed"]]
    .assert_eq(&lines.join("\n"));
}

#[test]
fn the_receiver_may_ask_for_patience_within_bounds() {
    let policy = Policy::default();
    let fresh = Standing { attempts: 0, ..standing(State::Active) };
    let check = |patience, luck, expected_ms: u64| {
        let outcome = Outcome::Failed(patience);
        let input = Input::Attempted { generation: 3, offset: Offset(11), through: Offset(11), outcome, luck };
        let Ok(Next::Becomes(next)) = decide(&fresh, input, &around(&policy)) else { panic!("it leads on") };
        assert_eq!(next.due.since(NOW), Duration::from_millis(expected_ms), "{patience:?}");
    };
    check(Patience::Own, 0.5, 1_000);
    check(Patience::Own, 0.0, 800);
    check(Patience::Own, 1.0, 1_200);
    check(Patience::Asked(Duration::from_millis(10)), 0.5, 1_000);
    check(Patience::Asked(Duration::from_secs(90)), 0.5, 90_000);
    check(Patience::Asked(Duration::from_hours(24)), 0.5, 3_600_000);
    check(Patience::Overloaded, 0.5, 60_000);
}

#[test]
fn a_suspension_takes_place_after_eight_hours_and_not_before() {
    let policy = Policy::default();
    let failed = Standing { alerts: 3, ..standing(State::Failed { since: NOW.minus(hours(8)) }) };
    let early = Around { now: NOW.minus(Duration::from_micros(1)), ..around(&policy) };
    assert_eq!(decide(&failed, Input::Clock, &early), Ok(Next::Stays));
    let Ok(Next::Becomes(suspended)) = decide(&failed, Input::Clock, &around(&policy)) else { panic!("it is time") };
    assert_eq!(suspended.state, State::Suspended { queue: Queue::Destroyed });
    assert_eq!(suspended.queued(Offset(15)), 0);

    // The queue that was destroyed does not come back with the update: what it
    // held goes on record, and a replay cannot reach behind it.
    let Ok(Next::Skips(again, lost)) = decide(&suspended, Input::Update, &around(&policy)) else {
        panic!("it is lost")
    };
    assert_eq!(lost, Skipped { first: Offset(11), last: Offset(15), reason: SkipReason::Suspension });
    assert_eq!(
        decide(&again, Input::Replay { from: Offset(15) }, &around(&policy)),
        Err(Refusal::BeforeStart { first: Offset(16) })
    );
}

#[test]
fn alerts_are_raised_once_each_and_not_after_the_suspension() {
    let policy = Policy::default();
    let mut s = standing(State::Failed { since: NOW });
    let mut lines = Vec::new();
    for minutes in (0..=540).step_by(10) {
        let around = Around { now: NOW.plus(Duration::from_mins(minutes)), ..around(&policy) };
        if let Ok(Next::Becomes(next)) = decide(&s, Input::Clock, &around) {
            lines.push(format!("{minutes:>3} min: {}, {} alerts", next.state.word(), next.alerts));
            s = next;
        }
    }
    expect![[r"
         60 min: failed, 1 alerts
        240 min: failed, 2 alerts
        420 min: failed, 3 alerts
        480 min: suspended, 3 alerts"]]
    .assert_eq(&lines.join("\n"));

    // After a standstill one alert stands for all that are due.
    let late = Around { now: NOW.plus(hours(5)), ..around(&policy) };
    let failed = standing(State::Failed { since: NOW });
    let Ok(Next::Becomes(alerted)) = decide(&failed, Input::Clock, &late) else { panic!("an alert is due") };
    assert_eq!(alerted, Standing { alerts: 2, ..failed });
    // Whoever fails anew is alerted anew.
    let active = Standing { alerts: 2, ..standing(State::Active) };
    let gone = decide(&active, attempted(Outcome::Gone), &around(&policy));
    assert!(matches!(gone, Ok(Next::Becomes(Standing { alerts: 0, state: State::Failed { .. }, .. }))));
}

fn any_standing() -> impl Strategy<Value = Standing> {
    let state = prop_oneof![
        Just(State::Active),
        (0..9u64).prop_map(|ago| State::Failed { since: NOW.minus(hours(ago)) }),
        Just(State::Paused),
        Just(State::Rejected),
        Just(State::Suspended { queue: Queue::Kept }),
        Just(State::Suspended { queue: Queue::Destroyed }),
    ];
    (state, 2..=15u64, 0..7u32).prop_map(|(state, cursor, attempts)| Standing {
        cursor: Offset(cursor),
        attempts,
        ..standing(state)
    })
}

fn any_input() -> impl Strategy<Value = Input> {
    let outcome = prop_oneof![
        Just(Outcome::Delivered),
        Just(Outcome::Declined),
        Just(Outcome::Gone),
        Just(Outcome::Busy),
        Just(Outcome::Failed(Patience::Own)),
        Just(Outcome::Failed(Patience::Overloaded)),
        (0..10_000u64).prop_map(|s| Outcome::Failed(Patience::Asked(Duration::from_secs(s)))),
    ];
    prop_oneof![
        Just(Input::Pause),
        Just(Input::Resume),
        Just(Input::ResumeFromLatest),
        Just(Input::Update),
        Just(Input::SkipOne),
        Just(Input::Clock),
        Just(Input::Retention),
        (0..20u64).prop_map(|from| Input::Replay { from: Offset(from) }),
        (2..=15u64).prop_map(|through| Input::Extract { through: Offset(through) }),
        (1..=3u64, 0..=17u64, 0..3u64, outcome, 0.0..1.0).prop_map(|(generation, offset, more, outcome, luck)| {
            Input::Attempted { generation, offset: Offset(offset), through: Offset(offset + more), outcome, luck }
        }),
    ]
}

/// An attempt at the event behind the cursor, as the engine makes them.
fn any_timely_input() -> impl Strategy<Value = (Standing, Input)> {
    (any_standing(), any_input()).prop_map(|(standing, input)| match input {
        Input::Attempted { offset, through, outcome, luck, .. } => {
            let first = standing.cursor.next();
            let through = Offset(first.0 + through.since(offset));
            let input = Input::Attempted { generation: standing.generation, offset: first, through, outcome, luck };
            (standing, input)
        }
        input => (standing, input),
    })
}

fn any_policy() -> impl Strategy<Value = Policy> {
    (any::<bool>(), any::<bool>(), any::<bool>()).prop_map(|(skip, reject, keep)| Policy {
        on_error: if skip { OnError::Skip } else { OnError::Keep },
        on_rejection: if reject { OnRejection::Reject } else { OnRejection::Retry },
        on_suspension: if keep { OnSuspension::Keep } else { OnSuspension::Destroy },
        ..Policy::default()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    /// The cursor moves forward by a success, over what it acknowledges, or over
    /// what goes on record, and by nothing else; back it goes only for a replay.
    #[test]
    fn the_cursor_never_lies(
        (before, input) in prop_oneof![any_timely_input(), (any_standing(), any_input())],
        policy in any_policy(),
    ) {
        let (after, recorded) = match decide(&before, input, &around(&policy)) {
            Ok(Next::Becomes(after)) => (after, None),
            Ok(Next::Skips(after, skipped)) => (after, Some(skipped)),
            Ok(Next::Stays | Next::Ends) | Err(_) => return Ok(()),
        };
        let moved = (before.cursor, after.cursor);
        match (recorded, input) {
            (Some(skipped), input) => {
                prop_assert_eq!((skipped.first.previous(), skipped.last), moved);
                let by_itself = matches!(input, Input::Attempted { .. });
                prop_assert!(!by_itself || skipped.first == skipped.last, "nobody is guilty for another");
            }
            (None, Input::Attempted { through, outcome: Outcome::Delivered, .. }) => {
                prop_assert_eq!(after.cursor, through);
                prop_assert_eq!(after.delivered - before.delivered, through.since(before.cursor));
            }
            (None, Input::Replay { .. }) => prop_assert!(after.cursor <= before.cursor),
            (None, _) => prop_assert_eq!(after.cursor, before.cursor),
        }
        prop_assert!(after.cursor >= after.floor, "it never reaches behind its beginning");
        prop_assert!(after.generation >= before.generation);
        let by_a_person = matches!(
            input,
            Input::Update | Input::Replay { .. } | Input::Extract { .. } | Input::SkipOne | Input::Resume
        );
        prop_assert!(!by_a_person || after.generation > before.generation);
        // What is over is over: an attempt brings nothing back to life.
        if let Input::Attempted { .. } = input {
            prop_assert!(before.delivers() || after.state == before.state);
        }
    }
}
