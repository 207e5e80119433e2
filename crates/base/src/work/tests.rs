//! Due work, on every engine.

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::chance::SeededChance;
use crate::db::{Control, Db};
use crate::testing;
use crate::time::{Clock, SimClock};

const KIND: &str = "test.expire";
const LEASE: Duration = Duration::from_secs(30);

/// A database with a clock that the test moves.
struct House {
    db: Db<Control>,
    clock: SimClock,
    chance: SeededChance,
}

fn check(check: impl Fn(House)) {
    testing::on_every_engine(&[crate::MIGRATIONS], |db| {
        check(House { db, clock: SimClock::default(), chance: SeededChance::new(1) });
    });
}

impl House {
    fn tx<T: Send + 'static>(&self, work: impl Fn(&mut dyn Tx) -> Result<T, Error> + Send + 'static) -> T {
        self.db.write_blocking("test", work).expect("a transaction")
    }

    fn enqueue(&self, key: &str, after: Duration) {
        let now = self.clock.now();
        let id = WorkId::new(now, &self.chance);
        let work =
            NewWork { id, kind: KIND, key: key.into(), due_at: now.plus(after), payload: json!({ "asked": now }) };
        self.tx(move |tx| enqueue(tx, &work));
    }

    fn claim(&self, limit: usize) -> Vec<Due> {
        let now = self.clock.now();
        self.tx(move |tx| claim(tx, "node-1", &[KIND], now, LEASE, limit))
    }

    fn complete(&self, due: &Due) -> Verdict {
        let lease = due.lease.clone();
        self.tx(move |tx| complete(tx, &lease))
    }

    fn retry(&self, due: &Due, after: Duration) -> Verdict {
        let (lease, at) = (due.lease.clone(), self.clock.now().plus(after));
        self.tx(move |tx| retry(tx, &lease, at))
    }

    fn rests_for(&self) -> Option<Duration> {
        self.tx(move |tx| next_due(tx, &[KIND])).map(|at| at.since(self.clock.now()))
    }
}

fn keys(due: &[Due]) -> Vec<&str> {
    due.iter().map(|due| due.key.as_str()).collect()
}

const fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn work_is_claimed_when_due_and_the_longest_due_first() {
    check(|house| {
        house.enqueue("late", s(20));
        house.enqueue("early", s(10));
        house.enqueue("now", s(0));
        assert_eq!(keys(&house.claim(10)), ["now"]);
        assert_eq!(house.rests_for(), Some(s(10)));
        house.clock.advance(s(20));
        assert_eq!(keys(&house.claim(1)), ["early"]);
        assert_eq!(keys(&house.claim(10)), ["late"]);
        assert_eq!(keys(&house.claim(10)), [""; 0], "all are held");
    });
}

#[test]
fn completed_work_is_gone_and_retried_work_comes_back() {
    check(|house| {
        house.enqueue("a", s(0));
        house.enqueue("b", s(0));
        let held = house.claim(10);
        assert_eq!(house.complete(&held[0]), Verdict::Recorded);
        assert_eq!(house.retry(&held[1], s(60)), Verdict::Recorded);
        assert_eq!(house.rests_for(), Some(s(60)));
        house.clock.advance(s(60));
        let again = house.claim(10);
        assert_eq!((keys(&again), again[0].attempt), (vec!["b"], 2));
        assert_eq!(house.complete(&again[0]), Verdict::Recorded);
        assert_eq!(house.rests_for(), None);
    });
}

#[test]
fn a_lease_that_ran_out_goes_to_the_next_and_the_old_report_is_refused() {
    check(|house| {
        house.enqueue("a", s(0));
        let slow = house.claim(1).remove(0);
        assert_eq!(house.rests_for(), Some(LEASE));
        house.clock.advance(LEASE);
        let quick = house.claim(1).remove(0);
        assert_eq!(quick.attempt, 2);
        assert_eq!(house.retry(&slow, s(0)), Verdict::Stale);
        assert_eq!(house.complete(&slow), Verdict::Stale);
        assert_eq!(house.complete(&quick), Verdict::Recorded);
        assert_eq!(house.complete(&quick), Verdict::Stale, "a report counts once");
    });
}

#[test]
fn a_lease_can_be_renewed() {
    check(|house| {
        house.enqueue("a", s(0));
        let held = house.claim(1).remove(0);
        let (lease, until) = (held.lease.clone(), house.clock.now().plus(s(3_600)));
        assert_eq!(house.tx(move |tx| renew(tx, &lease, until)), Verdict::Recorded);
        house.clock.advance(LEASE);
        assert_eq!(house.claim(1), []);
    });
}

#[test]
fn asking_again_is_the_same_row_at_the_earlier_time() {
    check(|house| {
        house.enqueue("a", s(10));
        house.enqueue("a", s(60));
        assert_eq!(house.rests_for(), Some(s(10)));
        house.enqueue("a", s(5));
        assert_eq!(house.rests_for(), Some(s(5)));
        house.clock.advance(s(60));
        assert_eq!(house.claim(10).len(), 1);
    });
}

#[test]
fn what_is_asked_for_while_somebody_is_at_it_is_done_once_more() {
    check(|house| {
        house.enqueue("a", s(0));
        let first = house.claim(1).remove(0);
        house.clock.advance(s(1));
        house.enqueue("a", s(0));
        assert_eq!(house.claim(1), [], "not two at the same time");
        assert_eq!(house.complete(&first), Verdict::Recorded);
        let second = house.claim(1).remove(0);
        assert_eq!((second.attempt, &second.payload), (1, &json!({ "asked": house.clock.now() })));
        assert_eq!(house.complete(&second), Verdict::Recorded);
        assert_eq!(house.rests_for(), None);
    });
}

#[test]
fn work_that_was_taken_back_is_not_reported_on() {
    check(|house| {
        house.enqueue("a", s(0));
        let held = house.claim(1).remove(0);
        assert!(house.tx(|tx| cancel(tx, KIND, "a")));
        assert_eq!(house.complete(&held), Verdict::Stale);
        house.enqueue("a", s(0));
        house.claim(1);
        assert_eq!(house.complete(&held), Verdict::Stale, "a new row is not the old one");
    });
}

proptest! {
    #[test]
    fn a_wait_doubles_up_to_its_cap_within_a_fifth(attempt in 1..u32::MAX, seed: u64) {
        let backoff = Backoff { first: s(2), cap: s(600) };
        let middle = 2.0 * 2f64.powi(attempt.min(40) as i32 - 1);
        let wait = backoff.wait(attempt, &SeededChance::new(seed)).as_secs_f64();
        let middle = middle.min(600.0);
        prop_assert!((middle * 0.8..=middle * 1.2).contains(&wait), "{wait} around {middle}");
    }
}
