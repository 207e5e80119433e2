//! How fast and with how much a receiver is called.

use expect_test::{Expect, expect};
use proptest::prelude::*;

use super::*;
use crate::pace::{Lesson, Pace};

const NOW: Timestamp = Timestamp::from_millis(1_767_225_600_000);
const SECOND: Duration = Duration::from_secs(1);

fn limited(rate_per_second: u32) -> Policy {
    Policy { rate_per_second: Some(rate_per_second), ..Policy::default() }
}

fn lesson(status: u16, took: Duration) -> Lesson {
    let outcome = match status {
        200 => Outcome::Delivered,
        408 => Outcome::Failed(Patience::Overloaded),
        _ => Outcome::Failed(Patience::Own),
    };
    Lesson { outcome, status: Some(status), took, events: 1 }
}

/// Calls as often as it may, for so long; returns when it did.
fn calls(pace: &mut Pace, policy: &Policy, from: Timestamp, until: Timestamp) -> Vec<Timestamp> {
    let (mut now, mut began) = (from, Vec::new());
    loop {
        now = pace.ready_at(policy, now);
        if now >= until {
            return began;
        }
        began.push(now);
        pace.spend(policy, now);
    }
}

#[test]
fn a_limit_lets_so_many_calls_through_and_a_second_of_them_is_saved_up() {
    let check = |rate, idle: Duration, expected: usize| {
        let policy = limited(rate);
        let mut pace = Pace::unknown(NOW);
        let from = NOW.plus(idle);
        let began = calls(&mut pace, &policy, from, from.plus(SECOND));
        assert_eq!(began.len(), expected, "{rate} per second after {idle:?}");
    };
    // The bucket begins empty: the first call waits for its turn.
    check(1, Duration::ZERO, 0);
    check(4, Duration::ZERO, 3);
    check(1_000, Duration::ZERO, 999);
    check(1, SECOND, 1);
    check(4, SECOND, 4 + 3);
    check(4, Duration::from_hours(1), 4 + 3);
    check(4, Duration::from_millis(500), 2 + 3);
}

#[test]
fn without_a_limit_nothing_waits_and_nothing_is_saved_up_for_a_limit_to_come() {
    let mut pace = Pace::unknown(NOW);
    let later = NOW.plus(Duration::from_hours(1));
    assert_eq!(pace.ready_at(&Policy::default(), later), later);
    pace.spend(&Policy::default(), later);
    assert_eq!(pace.ready_at(&limited(10), later), later.plus(Duration::from_millis(100)));
}

#[test]
fn after_the_clock_was_set_back_nobody_waits_for_the_old_time() {
    let policy = limited(1);
    let mut pace = Pace::unknown(NOW);
    let back = Duration::from_hours(1);
    pace.set_back(back);
    let now = NOW.minus(back);
    assert_eq!(pace.ready_at(&policy, now), now.plus(SECOND));
}

/// Answers one call after the other, and tells how many calls a second remain.
fn check_rate(policy: &Policy, statuses: &[(u16, usize)], took: Duration, expected: Expect) {
    let (mut pace, mut now, mut told) = (Pace::unknown(NOW), NOW, Vec::new());
    for (status, times) in statuses {
        for _ in 0..*times {
            now = now.plus(took);
            pace.learn(lesson(*status, took), policy, now);
        }
        // From an empty bucket, one call takes the inverse of the rate.
        let mut empty = pace.clone();
        let from = calls(&mut empty, policy, now, now.plus(SECOND)).last().copied().unwrap_or(now);
        let wait = empty.ready_at(policy, from).since(from);
        told.push(format!("{times} x {status}: one per {} ms", wait.as_millis()));
    }
    expected.assert_eq(&told.join("\n"));
}

#[test]
fn too_many_requests_halve_the_rate_and_successes_bring_it_back() {
    let ms = Duration::from_millis;
    check_rate(
        &limited(20),
        &[(200, 1), (429, 1), (429, 1), (200, 10), (200, 1_000)],
        ms(1),
        expect![[r"
        1 x 200: one per 50 ms
        1 x 429: one per 100 ms
        1 x 429: one per 200 ms
        10 x 200: one per 166 ms
        1000 x 200: one per 50 ms"]],
    );
    // Without a limit, the length of a call tells how fast it was.
    check_rate(
        &Policy::default(),
        &[(429, 1), (500, 5), (429, 2), (200, 100)],
        ms(20),
        expect![[r"
        1 x 429: one per 40 ms
        5 x 500: one per 40 ms
        2 x 429: one per 160 ms
        100 x 200: one per 61 ms"]],
    );
    // There is always a call per longest pause between probes.
    check_rate(&Policy::default(), &[(429, 40)], ms(20), expect!["40 x 429: one per 300000 ms"]);
}

#[test]
fn batches_grow_with_success_and_shrink_with_failure() {
    let policy = Policy { batch_events_max: 100, ..Policy::default() };
    let mut pace = Pace::unknown(NOW);
    let mut widths = Vec::new();
    for status in [200, 200, 200, 500, 500, 200, 200, 429, 200, 200, 200, 200] {
        widths.push(pace.width(&policy));
        let events = pace.width(&policy) as u64;
        pace.learn(Lesson { events, ..lesson(status, SECOND) }, &policy, NOW);
    }
    assert_eq!(widths, [1, 2, 4, 8, 1, 1, 2, 4, 1, 2, 4, 8]);
    // A batch that was not full shows nothing about larger ones.
    pace.learn(Lesson { events: 3, ..lesson(200, SECOND) }, &policy, NOW);
    assert_eq!(pace.width(&policy), 16);
    for _ in 0..9 {
        let events = pace.width(&policy) as u64;
        pace.learn(Lesson { events, ..lesson(200, SECOND) }, &policy, NOW);
    }
    assert_eq!(pace.width(&policy), 100);
    assert_eq!(pace.width(&Policy { batch_events_max: 7, ..policy }), 7);
}

#[test]
fn slow_is_who_takes_more_than_a_second_on_average_or_timed_out() {
    let policy = Policy::default();
    let check = |calls: &[(u16, u64)], expected: bool| {
        let mut pace = Pace::unknown(NOW);
        for (status, took_ms) in calls {
            pace.learn(lesson(*status, Duration::from_millis(*took_ms)), &policy, NOW);
        }
        assert_eq!(pace.is_slow(), expected, "{calls:?}");
    };
    check(&[], false);
    check(&[(200, 900)], false);
    check(&[(200, 1_100)], true);
    check(&[(200, 100), (200, 2_000)], false);
    check(&[(200, 100), (200, 2_000), (200, 2_000), (200, 2_000)], true);
    check(&[(408, 100)], true);
    check(&[(408, 100), (200, 100)], false);
    check(&[(200, 9_000), (200, 10), (200, 10)], true);
    check(
        &[(200, 9_000), (200, 10), (200, 10), (200, 10), (200, 10), (200, 10), (200, 10), (200, 10), (200, 10)],
        false,
    );
}

/// What befalls a receiver's pace.
#[derive(Clone, Debug)]
enum Fate {
    Waits(u64),
    Calls,
    Answers(u16, u64),
}

fn any_fate() -> impl Strategy<Value = Fate> {
    prop_oneof![
        (0..3_000u64).prop_map(Fate::Waits),
        Just(Fate::Calls),
        Just(Fate::Calls),
        (prop_oneof![Just(200u16), Just(429), Just(500), Just(408)], 0..20_000u64)
            .prop_map(|(status, took_ms)| Fate::Answers(status, took_ms)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever happens: over any second there are no more calls than the
    /// limit and what was saved up, nobody waits longer than the longest pause
    /// between probes, and whoever waited may call.
    #[test]
    fn no_second_sees_more_than_the_limit_and_what_was_saved_up(
        rate in prop_oneof![1..20u32, 1_000..100_000u32],
        fates in prop::collection::vec(any_fate(), 0..200),
    ) {
        let policy = limited(rate);
        let (mut pace, mut now, mut began) = (Pace::unknown(NOW), NOW, Vec::new());
        for fate in fates {
            match fate {
                Fate::Waits(ms) => now = now.plus(Duration::from_millis(ms)),
                Fate::Answers(status, took_ms) => {
                    pace.learn(lesson(status, Duration::from_millis(took_ms)), &policy, now);
                }
                Fate::Calls => {
                    let ready = pace.ready_at(&policy, now);
                    prop_assert!(ready.since(now) <= Duration::from_millis(policy.probe_max_ms + 1));
                    now = ready;
                    prop_assert_eq!(pace.ready_at(&policy, now), now);
                    pace.spend(&policy, now);
                    began.push(now);
                }
            }
        }
        for (place, at) in began.iter().enumerate() {
            let within = began[place..].iter().take_while(|other| other.since(*at) < SECOND).count();
            prop_assert!(within <= 2 * rate as usize, "{within} calls within a second of {at}");
        }
    }

    /// A limit that is asked for is used: with enough to do, no second but the
    /// first is without its calls.
    #[test]
    fn a_limit_is_used_to_the_full(rate in 1..2_000u32) {
        let mut pace = Pace::unknown(NOW);
        let began = calls(&mut pace, &limited(rate), NOW, NOW.plus(SECOND * 10)).len();
        let expected = 10 * rate as usize;
        prop_assert!(began + 1 >= expected - expected / 100 && began <= expected, "{began} of {expected}");
    }
}
