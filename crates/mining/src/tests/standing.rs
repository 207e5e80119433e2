//! How models and triggers stand, and a person's hand on what is held.

use std::fmt::Write as _;
use std::sync::atomic::Ordering;

use base::Clock;
use pools::Piece;

use super::triggers::{CHANGED, STUCK, house, keyed, one_trigger};
use super::{House, actor, at, rows};
use crate::{Fate, Following, ModelStanding};

async fn change(house: &House, cases: std::ops::Range<u32>) {
    let mut lines = "ID | CASE | ACT | TS:time | USER".to_owned();
    for case in cases {
        write!(lines, "\nn{case} | {case} | Change | 2026-03-01 11:00 | ann").expect("a string takes it");
    }
    house.push("EV", keyed(), vec![Piece::Upsert(rows(&lines))]).await;
    house.mining().catch_up().await.expect("it follows");
}

async fn standing(house: &House) -> ModelStanding {
    house.mining().standing("p.km").await.expect("it is published")
}

async fn settle(house: &House, fate: Fate, count: Option<u64>) -> u64 {
    house.mining().settle_held(&actor(), "p.km", "T", fate, count).await.expect("a trigger")
}

async fn keys(house: &House) -> Vec<String> {
    house.fired().await.into_iter().map(|(_, _, key)| key).collect()
}

#[tokio::test]
async fn a_trigger_tells_when_it_looks_next() {
    let house = house().await;
    house.mining().put_draft(&actor(), "p", &one_trigger(STUCK, "")).await.expect("a draft");
    house.set_clock("p.km", "2026-03-01 08:30").await;
    house.mining().publish(&actor(), "p.km").await.expect("it fits");
    let shown = standing(&house).await;
    assert_eq!((shown.following, shown.through), (Following::Followed, shown.head));
    assert_eq!(shown.evaluated_at, at("2026-03-01 08:30"));
    let trigger = &shown.triggers[0];
    assert_eq!(trigger.next_deadline, shown.next_deadline);
    assert_eq!(trigger.next_deadline.map(|at| at.to_string()).as_deref(), Some("2026-03-01T10:00:00.000Z"));
    assert_eq!(trigger.trigger.cadence, "at each commit and at the instant at which time alone changes an answer");
    // Asking loads nothing.
    house.restart();
    assert_eq!(standing(&house).await.evaluated_at, at("2026-03-01 08:30"));
}

#[tokio::test]
async fn a_model_that_is_detached_tells_why_and_until_when() {
    let house = house().await;
    house.publish(&one_trigger(CHANGED, ", itemLimit: 2")).await;
    let post = house.mining().post(house.data_model.now().id);
    change(&house, 10..14).await;
    let trigger = standing(&house).await.triggers.remove(0);
    assert_eq!((trigger.trigger.matched, trigger.waiting), (2, 3));

    post.live.clone().lock_owned().await.as_mut().expect("it is loaded").models[0].breaks = true;
    change(&house, 14..15).await;
    let detail = "a test broke it".to_owned();
    let again_at = house.clock.now().plus(std::time::Duration::from_secs(1));
    assert_eq!(standing(&house).await.following, Following::Detached { detail, again_at });
    let unknown = house.mining().trigger_standing("p.km", "U").await.expect_err("there is none");
    assert_eq!(unknown.to_string(), r#"knowledge model "p.km" has no trigger "U"; did you mean "T"?"#);
}

#[tokio::test]
async fn what_is_held_is_sent_or_dropped_once_over_a_crash() {
    let house = house().await;
    house.publish(&one_trigger(CHANGED, ", caps: { perCommit: 1, perMinute: 1 }")).await;
    change(&house, 10..18).await;
    let held = house.mining().held("p.km", "T", 2).await.expect("a trigger");
    assert_eq!(held.iter().map(|one| one.signal.key.as_str()).collect::<Vec<_>>(), ["T/11/1", "T/12/1"]);

    house.outbox.lock().crashed.store(true, Ordering::SeqCst);
    let release = house.mining().settle_held(&actor(), "p.km", "T", Fate::Release, Some(2)).await;
    release.expect_err("the outbox is broken");
    // After the restart a new minute begins, with room for one.
    house.restart();
    assert_eq!(settle(&house, Fate::Release, Some(2)).await, 2);
    assert_eq!(keys(&house).await, ["T/10/1", "T/11/1", "T/12/1", "T/13/1"]);
    assert_eq!(settle(&house, Fate::Drop, Some(3)).await, 3);
    assert_eq!(standing(&house).await.triggers[0].trigger.held, 1);

    // What is left goes on as the cap says, behind what was passed.
    house.clock.set(at("2026-03-01 00:02"));
    house.mining().catch_up().await.expect("it follows");
    assert_eq!(keys(&house).await, ["T/10/1", "T/11/1", "T/12/1", "T/13/1", "T/17/1"]);
    assert_eq!(settle(&house, Fate::Release, None).await, 0);
    let trigger = standing(&house).await.triggers.remove(0).trigger;
    assert_eq!((trigger.fired, trigger.held, trigger.matched), (5, 0, 9), "who was dropped still matches");
}
