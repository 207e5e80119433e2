//! Triggers that are evaluated whole: beside the others, at their own pace,
//! each signal once. A gate holds a survey up; nothing here sleeps.

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc;

use expect_test::expect;
use pools::Piece;
use tokio::sync::oneshot;

use super::triggers::{CHANGED, UNCAPPED, house, keyed, one_trigger};
use super::{House, actor, at, rows};
use crate::Class;
use crate::post::{Gate, Post};

/// Cases that wait for more than two hours, if there are at least two.
const CROWD: &str = r#"PU_COUNT(CONSTANT(), "EV_CASES"."CASE", HOURS_BETWEEN(ORDER.SINCE, NOW()) > 2) > 1"#;

/// A model with a trigger that is followed and one that is evaluated whole.
fn two_triggers(more: &str) -> String {
    let filter = format!("filters:\n  - id: MANY\n    pql: |\n      {CROWD}\n");
    one_trigger(CHANGED, "").replace("filters:\n", &filter)
        + &format!("  - {{ id: F, record: ORDER, filterIds: [MANY]{more} }}\n")
}

/// Publishes when nobody waits; two cases do from half past twelve on.
async fn published(more: &str) -> House {
    let house = house().await;
    let mining = house.mining();
    mining.put_draft(&actor(), "p", &two_triggers(more)).await.expect("a draft");
    house.set_clock("p.km", "2026-03-01 09:00").await;
    let triggers = mining.publish(&actor(), "p.km").await.expect("it fits").triggers;
    assert_eq!(triggers.iter().map(|trigger| trigger.class).collect::<Vec<_>>(), [Class::L, Class::F]);
    house.set_clock("p.km", "2026-03-01 12:30").await;
    house
}

/// A survey that has begun and waits.
struct HeldUp {
    post: Arc<Post>,
    go: mpsc::Sender<bool>,
}

impl HeldUp {
    async fn begin(house: &House) -> Self {
        let ((begun, has_begun), (go, gone)) = (oneshot::channel(), mpsc::channel());
        let post = house.mining().post(house.data_model.now().id);
        *post.gate.lock() = Some(Gate { begun, go: gone });
        look(house).await;
        has_begun.await.expect("a survey is due");
        HeldUp { post, go }
    }

    /// Lets it come to its end.
    async fn end(self, well: bool) {
        self.go.send(well).expect("it waits");
        self.post.surveys.subscribe().wait_for(|busy| !busy).await.expect("the post is there");
    }
}

/// Evaluates every commit, and waits for no survey.
async fn look(house: &House) {
    house.mining().query("p.km", "COUNT_TABLE(\"EV\")").await.expect("it is answered");
}

async fn change(house: &House, case: &str) {
    let line = format!("ID | CASE | ACT | TS:time | USER\nx{case} | {case} | Change | 2026-03-01 08:00 | cid");
    house.push("EV", keyed(), vec![Piece::Upsert(rows(&line))]).await;
    look(house).await;
}

#[tokio::test]
async fn commits_go_on_and_fire_while_everything_is_looked_at() {
    let house = published("").await;
    let survey = HeldUp::begin(&house).await;
    change(&house, "1").await;
    house.set_clock("p.km", "2026-03-01 12:45").await;
    change(&house, "5").await;
    expect![[r"
        2026-03-01T12:30:00.000Z 1 T/1/1
        2026-03-01T12:45:00.000Z 5 T/5/1
    "]]
    .assert_eq(&house.fired_text().await);
    // Case 5 was not there yet; it comes with the next survey, after a rest.
    survey.end(true).await;
    expect![[r"
        2026-03-01T12:30:00.000Z 1 F/1/1
        2026-03-01T12:30:00.000Z 1 T/1/1
        2026-03-01T12:30:00.000Z 2 F/2/1
        2026-03-01T12:45:00.000Z 5 T/5/1
    "]]
    .assert_eq(&house.fired_text().await);
    house.clock.set(at("2026-03-01 00:01"));
    house.mining().catch_up().await.expect("it follows");
    let fired = house.fired_text().await;
    assert!(fired.ends_with("2026-03-01T12:45:00.000Z 5 F/5/1\n2026-03-01T12:45:00.000Z 5 T/5/1\n"), "{fired}");
    // What followed the commits meanwhile has not gone back behind them.
    house.restart();
    house.mining().catch_up().await.expect("it goes on");
    assert_eq!(house.fired_text().await, fired);
}

#[tokio::test]
async fn what_nobody_waits_for_any_more_is_dropped() {
    // The model is published anew with another meaning, for which what matches
    // is known.
    let house = published("").await;
    let survey = HeldUp::begin(&house).await;
    house.publish(&two_triggers("").replace("NOW()) > 2) > 1", "NOW()) > 1) > 1")).await;
    survey.end(true).await;
    house.mining().catch_up().await.expect("it follows");
    assert_eq!(house.fired().await, []);
    assert_eq!(house.mining().matched("p.km", "F").await.expect("a trigger").len(), 2);

    // The clock is set back to when nobody waited.
    let house = published("").await;
    let survey = HeldUp::begin(&house).await;
    house.set_clock("p.km", "2026-03-01 09:00").await;
    survey.end(true).await;
    assert_eq!(house.fired().await, []);
    assert_eq!(house.mining().matched("p.km", "F").await.expect("a trigger"), []);

    // The process ends; the next one surveys anew, at its own instant.
    let house = published("").await;
    let survey = HeldUp::begin(&house).await;
    house.restart();
    house.mining().catch_up().await.expect("it goes on");
    assert_eq!(house.fired().await.len(), 2);
    survey.end(true).await;
    assert_eq!(house.fired().await.len(), 2, "who was overtaken writes nothing");
}

#[tokio::test]
async fn a_crash_between_the_closures_of_a_survey_loses_and_doubles_nothing() {
    let house = published(&format!("{UNCAPPED}, fireOn: BOTH")).await;
    let mut text = String::from("ID | CASE | ACT | TS:time | USER\n");
    for case in 1_000..3_498 {
        writeln!(text, "n{case} | {case} | Create | 2026-03-01 08:00 | ann").expect("a string takes it");
    }
    house.push("EV", keyed(), vec![Piece::Upsert(rows(&text))]).await;
    let fired = async || house.fired().await.into_iter().map(|(_, _, key)| key).collect::<Vec<_>>();
    for expected in [1_000, 2_000, 2_500] {
        house.outbox.lock().calls_left.store(1, Ordering::SeqCst);
        house.mining().catch_up().await.expect("only the survey breaks off");
        assert_eq!(fired().await.len(), expected, "one closure, and no key twice");
        house.restart();
    }
    // Everybody leaves, and that breaks off too.
    house.outbox.lock().calls_left.store(1, Ordering::SeqCst);
    let gone: String = (1_000..3_498).map(|case| format!("n{case}\n")).collect();
    house.push("EV", keyed(), vec![Piece::Delete(rows(&format!("ID\na\nb\nc\n{gone}")))]).await;
    for expected in [3_500, 4_500, 5_000, 5_000] {
        house.mining().catch_up().await.expect("only the survey breaks off");
        assert_eq!(fired().await.len(), expected);
        house.restart();
        house.outbox.lock().calls_left.store(1, Ordering::SeqCst);
    }
    assert_eq!(house.mining().matched("p.km", "F").await.expect("a trigger"), []);
}

#[tokio::test]
async fn a_survey_that_fails_stops_its_trigger_alone() {
    let house = published("").await;
    HeldUp::begin(&house).await.end(false).await;
    change(&house, "1").await;
    expect!["2026-03-01T12:30:00.000Z 1 T/1/1\n"].assert_eq(&house.fired_text().await);
    let told = "trigger \"F\": the evaluation stopped unexpectedly: a test broke it";
    assert_eq!(house.mining().detached(), [("p.km".to_owned(), told.to_owned())]);
    house.clock.set(at("2026-03-01 00:01"));
    house.mining().catch_up().await.expect("it follows");
    assert_eq!(house.fired().await.len(), 3);
    assert_eq!(house.mining().detached(), []);
}

#[tokio::test]
async fn the_background_takes_surveys_when_they_are_due() {
    let house = published("").await;
    let stop = tokio_util::sync::CancellationToken::new();
    let running = tokio::spawn(house.mining().run(stop.clone()));
    let outbox = house.outbox.lock().clone();
    while house.fired().await.len() < 2 {
        outbox.nudged.notified().await;
    }
    stop.cancel();
    running.await.expect("it stops");
}
